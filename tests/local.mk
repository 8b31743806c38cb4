# SPDX-License-Identifier: MIT
# Check programs, one for each room, run through TAP; scripts (.sh) run by the plain driver.

TEST_EXTENSIONS = .sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)'; CC='$(CC)'; export srcdir CC;

TEST_CPPFLAGS = $(LIB_CPPFLAGS) $(CHECK_CFLAGS) $(MISUSE_CFLAGS)
TEST_LIBS = lib/libbheap-core.la $(CHECK_LIBS)

# What the Check programs share.
UNIT_LIBS = %D%/libsupport.la $(TEST_LIBS)

# What test_inject puts between the library and the system, by the names of m4/bheap_wraps.m4.
INJECT_WRAPS = \
	-Wl,--wrap=mmap$(WRAP_OFF) -Wl,--wrap=munmap -Wl,--wrap=mprotect -Wl,--wrap=madvise \
	-Wl,--wrap=msync -Wl,--wrap=ftruncate$(WRAP_OFF) -Wl,--wrap=posix_fallocate$(WRAP_OFF) \
	-Wl,--wrap=open$(WRAP_OFF) -Wl,--wrap=shm_open -Wl,--wrap=close -Wl,--wrap=unlink \
	-Wl,--wrap=shm_unlink -Wl,--wrap=$(WRAP_FCNTL) -Wl,--wrap=$(WRAP_FSTAT) \
	-Wl,--wrap=pread$(WRAP_OFF) -Wl,--wrap=pwrite$(WRAP_OFF) -Wl,--wrap=pthread_mutex_init \
	-Wl,--wrap=pthread_mutexattr_init -Wl,--wrap=pthread_mutexattr_settype \
	-Wl,--wrap=pthread_mutexattr_setpshared -Wl,--wrap=pthread_mutexattr_setrobust

# The same for test_seldom.
SELDOM_WRAPS = \
	-Wl,--wrap=getauxval -Wl,--wrap=$(WRAP_STAT) -Wl,--wrap=$(WRAP_FSTAT) -Wl,--wrap=kill \
	-Wl,--wrap=$(WRAP_FCNTL) -Wl,--wrap=poll -Wl,--wrap=pthread_mutex_init \
	-Wl,--wrap=open$(WRAP_OFF) -Wl,--wrap=posix_fallocate$(WRAP_OFF) \
	-Wl,--wrap=pthread_mutex_lock -Wl,--wrap=pthread_atfork -Wl,--wrap=munmap \
	-Wl,--wrap=mprotect -Wl,--wrap=mmap$(WRAP_OFF) -Wl,--wrap=ftruncate$(WRAP_OFF) \
	-Wl,--wrap=pwrite$(WRAP_OFF) -Wl,--wrap=close

if HAVE_CHECK
check_LTLIBRARIES += %D%/libsupport.la
%C%_libsupport_la_SOURCES = \
	%D%/box.c %D%/box.h \
	%D%/model.c %D%/model.h \
	%D%/support.c %D%/support.h \
	%D%/wraps.h
%C%_libsupport_la_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_libsupport_la_LIBTOOLFLAGS = $(PROGRAM_LIBTOOLFLAGS)

unit_tests = \
	%D%/test_api \
	%D%/test_bins \
	%D%/test_check \
	%D%/test_classic \
	%D%/test_damage \
	%D%/test_exhaustive \
	%D%/test_fast \
	%D%/test_fault \
	%D%/test_file \
	%D%/test_fill \
	%D%/test_granule \
	%D%/test_heap \
	%D%/test_inject \
	%D%/test_layout \
	%D%/test_lock \
	%D%/test_make \
	%D%/test_map \
	%D%/test_offsets \
	%D%/test_open \
	%D%/test_poison \
	%D%/test_random \
	%D%/test_region \
	%D%/test_seldom \
	%D%/test_show \
	%D%/test_slots \
	%D%/test_stats \
	%D%/test_trailer \
	%D%/test_walk
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)

%C%_test_api_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_api_LDADD = $(UNIT_LIBS)
%C%_test_bins_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_bins_LDADD = $(UNIT_LIBS)
%C%_test_check_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_check_LDADD = $(UNIT_LIBS)
%C%_test_classic_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_classic_LDADD = $(UNIT_LIBS)
%C%_test_damage_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_damage_LDADD = $(UNIT_LIBS)
%C%_test_exhaustive_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_exhaustive_LDADD = $(UNIT_LIBS)
%C%_test_fast_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_fast_LDADD = $(UNIT_LIBS)
%C%_test_fault_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_fault_LDADD = $(UNIT_LIBS)
%C%_test_file_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_file_LDADD = $(UNIT_LIBS)
%C%_test_fill_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_fill_LDADD = $(UNIT_LIBS)
%C%_test_granule_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_granule_LDADD = $(UNIT_LIBS)
%C%_test_heap_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_heap_LDADD = $(UNIT_LIBS)
%C%_test_inject_CPPFLAGS = $(TEST_CPPFLAGS) -U_FORTIFY_SOURCE
%C%_test_inject_LDADD = $(UNIT_LIBS)
%C%_test_inject_LDFLAGS = $(INJECT_WRAPS)
%C%_test_layout_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_layout_LDADD = $(UNIT_LIBS)
%C%_test_lock_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_lock_LDADD = $(UNIT_LIBS)
%C%_test_make_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_make_LDADD = $(UNIT_LIBS)
%C%_test_map_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_map_LDADD = $(UNIT_LIBS)
%C%_test_offsets_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_offsets_LDADD = $(UNIT_LIBS)
%C%_test_open_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_open_LDADD = $(UNIT_LIBS)
%C%_test_poison_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_poison_LDADD = $(UNIT_LIBS)
%C%_test_random_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_random_LDADD = $(UNIT_LIBS)
%C%_test_region_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_region_LDADD = $(UNIT_LIBS)
%C%_test_seldom_CPPFLAGS = $(TEST_CPPFLAGS) -U_FORTIFY_SOURCE
%C%_test_seldom_LDADD = $(UNIT_LIBS)
%C%_test_seldom_LDFLAGS = $(SELDOM_WRAPS)
%C%_test_show_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_show_LDADD = $(UNIT_LIBS)
%C%_test_slots_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_slots_LDADD = $(UNIT_LIBS)
%C%_test_stats_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_stats_LDADD = $(UNIT_LIBS)
%C%_test_trailer_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_trailer_LDADD = $(UNIT_LIBS)
%C%_test_walk_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_walk_LDADD = $(UNIT_LIBS)
endif

dist_check_SCRIPTS += %D%/format.sh %D%/includes.sh %D%/plt.sh %D%/style.sh
TESTS += %D%/format.sh %D%/includes.sh %D%/plt.sh %D%/style.sh
CLEANFILES += test-*.heap
EXTRA_DIST += %D%/offsets.inc
# What memcheck and AddressSanitizer report.
dist_check_SCRIPTS += %D%/test_annotate.sh
TESTS += %D%/test_annotate.sh
EXTRA_DIST += %D%/victims.c

# Valgrind watches the programs; of the scripts it would see only the shell. The longest come first,
# so that nothing waits for them at the end. Threads take turns: else one that wants a lock which another
# takes again and again may wait for minutes.
VALGRIND_FLAGS = --num-callers=30 --fair-sched=try
watched_tests = $(filter-out %.sh,$(TESTS))
watched_first = $(filter tests/misuse/%,$(watched_tests))
check-valgrind-memcheck-local: MAKE += TESTS='$(watched_first) $(filter-out $(watched_first),$(watched_tests))'

# Threads. Helgrind looks at those that it can follow.
if HAVE_CHECK
check_PROGRAMS += %D%/test_threads
TESTS += %D%/test_threads
%C%_test_threads_CPPFLAGS = $(TEST_CPPFLAGS)
%C%_test_threads_LDADD = $(UNIT_LIBS)
endif

.PHONY: check-helgrind
check-helgrind: %D%/test_threads
	CK_RUN_CASE=threads $(LIBTOOL) --mode=execute $(VALGRIND) --tool=helgrind $(VALGRIND_FLAGS) \
		--quiet --error-exitcode=9 --suppressions=$(srcdir)/%D%/helgrind.supp %D%/test_threads
EXTRA_DIST += %D%/helgrind.supp
