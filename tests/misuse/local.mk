# SPDX-License-Identifier: MIT
# The misuse catalogue: what is done wrong, and exactly what comes of it.

if HAVE_CHECK
check_LTLIBRARIES += %D%/libscene.la
%C%_libscene_la_SOURCES = %D%/scene.c %D%/scene.h
%C%_libscene_la_LIBTOOLFLAGS = $(PROGRAM_LIBTOOLFLAGS)

misuse_tests = %D%/calls %D%/pointers %D%/writes
check_PROGRAMS += $(misuse_tests)
TESTS += $(misuse_tests)
%C%_calls_LDADD = %D%/libscene.la $(LDADD)
%C%_pointers_LDADD = %D%/libscene.la $(LDADD)
%C%_writes_LDADD = %D%/libscene.la $(LDADD)
endif
