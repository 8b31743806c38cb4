# SPDX-License-Identifier: MIT
# Heaps that processes share: the Check program, and the proof that they survive the death of any
# process. make check runs a short form of the proof; make check-crash all of it, some minutes long.

if HAVE_CHECK
shared_tests = %D%/test_death %D%/test_images %D%/test_shared %D%/test_start
%C%_test_images_SOURCES = %D%/test_images.c %D%/stepper.c %D%/stepper.h
check_PROGRAMS += $(shared_tests)
TESTS += $(shared_tests)
endif

crash_programs = %D%/killpoints %D%/random_kills
check_PROGRAMS += $(crash_programs)
TESTS += $(crash_programs)

# No symbol is looked up while a worker is stepped through: its way must be the same each time.
%C%_killpoints_SOURCES = \
	%D%/corpus.c %D%/corpus.h \
	%D%/killpoints.c \
	%D%/expect.c %D%/expect.h \
	%D%/heap_file.c %D%/heap_file.h \
	%D%/stepper.c %D%/stepper.h
%C%_killpoints_LDADD = lib/libbheap-core.la
%C%_killpoints_LDFLAGS = -Wl,-z,now

%C%_random_kills_LDADD = lib/libbheap-core.la

check_PROGRAMS += %D%/unwind
TESTS += %D%/unwind
%C%_unwind_SOURCES = %D%/unwind.cpp
%C%_unwind_LDADD = lib/libbheap-core.la

TESTS += %D%/cache.sh
EXTRA_DIST += %D%/cache.sh %D%/swapped.sh %D%/images

# make check-crash KILLS_SECONDS=600 for ten minutes of random kills.
KILLS_SECONDS = 20
.PHONY: check-crash
check-crash: $(crash_programs) lib/libbheap-core.la
	%D%/killpoints --whole
	%D%/random_kills $(KILLS_SECONDS)
	CC='$(CC)' CFLAGS='$(CFLAGS)' sh $(srcdir)/%D%/swapped.sh $(srcdir)
