# SPDX-License-Identifier: MIT
# Tests of libbheap-malloc and of bheap: scripts, run in the build folder.

TOOLS_TESTS = \
	%D%/family.sh \
	%D%/programs.sh
EXTRA_DIST += %D%/common.sh

if HAVE_CHECK
check_PROGRAMS += %D%/family
%C%_family_SOURCES = %D%/family.c
%C%_family_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_family_CFLAGS = $(AM_CFLAGS) -fno-builtin -Wno-alloc-size-larger-than
%C%_family_LDADD = $(CHECK_LIBS)
TESTS += %D%/family.sh
endif
TESTS += %D%/programs.sh
dist_check_SCRIPTS += $(TOOLS_TESTS)
