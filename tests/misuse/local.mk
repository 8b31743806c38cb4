# SPDX-License-Identifier: MIT
# The misuse catalogue: what is done wrong, and exactly what comes of it.

if HAVE_CHECK
check_LTLIBRARIES += %D%/libfixture.la
%C%_libfixture_la_SOURCES = %D%/fixture.c %D%/fixture.h
%C%_libfixture_la_LIBTOOLFLAGS = $(PROGRAM_LIBTOOLFLAGS)

misuse_tests = %D%/calls %D%/pointers %D%/writes
check_PROGRAMS += $(misuse_tests)
TESTS += $(misuse_tests)
%C%_calls_LDADD = %D%/libfixture.la $(LDADD)
%C%_pointers_LDADD = %D%/libfixture.la $(LDADD)
%C%_writes_LDADD = %D%/libfixture.la $(LDADD)
endif
