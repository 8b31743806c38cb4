# SPDX-License-Identifier: MIT
# libbheap-malloc.so, any program's malloc in a bounded heap, and bheap, the program around it.

# The heap is linked in, so that the interposer needs no other library and calls it directly.
lib_LTLIBRARIES += %D%/libbheap-malloc.la
%C%_libbheap_malloc_la_SOURCES = \
	%D%/budget.c %D%/budget.h \
	%D%/ledger.c %D%/ledger.h \
	%D%/malloc.c \
	%D%/size_text.c %D%/size_text.h
%C%_libbheap_malloc_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -fno-builtin
%C%_libbheap_malloc_la_LIBADD = lib/libbheap-core.la
%C%_libbheap_malloc_la_LDFLAGS = -module -avoid-version -shared -no-undefined \
	-Wl,--version-script=$(srcdir)/%D%/libbheap-malloc.map -Wl,-z,defs $(CODE_COVERAGE_LIBS)
EXTRA_%C%_libbheap_malloc_la_DEPENDENCIES = $(srcdir)/%D%/libbheap-malloc.map
EXTRA_DIST += %D%/libbheap-malloc.map
