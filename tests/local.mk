# SPDX-License-Identifier: MIT
# Check programs, run through TAP; scripts (.sh) run by the plain driver.

TEST_EXTENSIONS = .sh
LOG_COMPILER = $(srcdir)/%D%/support/environment.sh
SH_LOG_COMPILER = $(srcdir)/%D%/support/environment.sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
# Tests count granules: under tools a block takes no more than elsewhere, but where a test wants it.
AM_TESTS_ENVIRONMENT = srcdir='$(srcdir)'; CC='$(CC)'; BHEAP_REDZONE=0; export srcdir CC BHEAP_REDZONE;

# The last lines of make check.
check-local: check-TESTS
	@$(srcdir)/%D%/support/skipped.sh $(TEST_LOGS)

# Each folder's own flags, by a pattern of GNU make, so that its programs need none of their own: all have
# tests/support/ and Check; tests/contract/ and those of other folders that know the public interface alone
# do without the rooms of the library.
TEST_CPPFLAGS = -iquote $(top_srcdir)/%D%/support $(CHECK_CFLAGS) $(MISUSE_CFLAGS)
ROOM_CPPFLAGS = -iquote $(top_srcdir)/lib
%D%/%.$(OBJEXT) %D%/%.lo: AM_CPPFLAGS += $(TEST_CPPFLAGS)
%D%/support/%.lo %D%/unit/%.$(OBJEXT) %D%/system/%.$(OBJEXT): AM_CPPFLAGS += $(ROOM_CPPFLAGS)
%D%/crash/%.$(OBJEXT) %D%/fuzz/%.$(OBJEXT): AM_CPPFLAGS += $(ROOM_CPPFLAGS)

# What every program is linked with that does not say otherwise: the Check programs.
TEST_LIBS = lib/libbheap-core.la $(CHECK_LIBS)
LDADD = %D%/libsupport.la $(TEST_LIBS)

# The calls that system/wraps.c stands in for, by the names of m4/bheap_wraps.m4.
WRAPPED = \
	mmap$(WRAP_OFF) munmap mprotect madvise msync ftruncate$(WRAP_OFF) \
	fallocate$(WRAP_OFF) posix_fallocate$(WRAP_OFF) open$(WRAP_OFF) shm_open close unlink shm_unlink $(WRAP_FCNTL) \
	$(WRAP_STAT) $(WRAP_FSTAT) pread$(WRAP_OFF) pwrite$(WRAP_OFF) kill poll getauxval getrandom syscall tgkill \
	pthread_mutex_init pthread_mutex_trylock $(WRAP_TIMEDLOCK) pthread_mutexattr_init pthread_mutexattr_settype \
	pthread_mutexattr_setpshared pthread_mutexattr_setrobust pthread_spin_init bh_wait_nap pthread_atfork
WRAPS = $(addprefix -Wl$(comma)--wrap=,$(WRAPPED))
comma = ,

if HAVE_CHECK
check_LTLIBRARIES += %D%/libsupport.la
%C%_libsupport_la_SOURCES = \
	%D%/support/box.c %D%/support/box.h \
	%D%/support/model.c %D%/support/model.h \
	%D%/support/support.c %D%/support/support.h
%C%_libsupport_la_LIBTOOLFLAGS = $(PROGRAM_LIBTOOLFLAGS)

# White box: each knows the rooms of lib/ that it tests.
unit_tests = \
	%D%/unit/test_alloc \
	%D%/unit/test_annotate \
	%D%/unit/test_barrier \
	%D%/unit/test_batch \
	%D%/unit/test_bias \
	%D%/unit/test_bins \
	%D%/unit/test_cached \
	%D%/unit/test_caches \
	%D%/unit/test_check \
	%D%/unit/test_core \
	%D%/unit/test_damage \
	%D%/unit/test_enter \
	%D%/unit/test_exhaustive \
	%D%/unit/test_fast_path \
	%D%/unit/test_fault \
	%D%/unit/test_file \
	%D%/unit/test_fill \
	%D%/unit/test_foreign \
	%D%/unit/test_free \
	%D%/unit/test_granule \
	%D%/unit/test_growing \
	%D%/unit/test_guarded \
	%D%/unit/test_growth \
	%D%/unit/test_handshake \
	%D%/unit/test_layout \
	%D%/unit/test_lock \
	%D%/unit/test_map \
	%D%/unit/test_open \
	%D%/unit/test_pages \
	%D%/unit/test_rebuild \
	%D%/unit/test_region \
	%D%/unit/test_rest \
	%D%/unit/test_reset \
	%D%/unit/test_resize \
	%D%/unit/test_secret \
	%D%/unit/test_show \
	%D%/unit/test_slots \
	%D%/unit/test_storage \
	%D%/unit/test_thread \
	%D%/unit/test_trailer \
	%D%/unit/test_verify \
	%D%/unit/test_walk

# The public interface alone, as its manual pages have it.
contract_tests = \
	%D%/contract/test_blocks \
	%D%/contract/test_buffer_size \
	%D%/contract/test_cached \
	%D%/contract/test_classic \
	%D%/contract/test_create \
	%D%/contract/test_handler \
	%D%/contract/test_limit \
	%D%/contract/test_offsets \
	%D%/contract/test_random \
	%D%/contract/test_refusal \
	%D%/contract/test_realloc \
	%D%/contract/test_reset \
	%D%/contract/test_resize \
	%D%/contract/test_signals \
	%D%/contract/test_stats \
	%D%/contract/test_strings \
	%D%/contract/test_threads \
	%D%/contract/test_version
# A child steps through a call: no symbol is looked up meanwhile.
%C%_contract_test_signals_LDFLAGS = -Wl,-z,now
EXTRA_DIST += %D%/support/environment.sh %D%/support/skipped.sh
EXTRA_DIST += %D%/contract/kinds.h %D%/contract/offsets.inc %D%/contract/places.h %D%/unit/ends.h

# Between the library and the system: calls that fail, and answers that are rare.
system_tests = \
	%D%/system/test_errors \
	%D%/system/test_fork \
	%D%/system/test_inject \
	%D%/system/test_rare
%C%_system_test_errors_SOURCES = %D%/system/test_errors.c %D%/system/wraps.c %D%/system/wraps.h
%C%_system_test_errors_LDFLAGS = $(WRAPS)
%C%_system_test_inject_SOURCES = %D%/system/test_inject.c %D%/system/wraps.c %D%/system/wraps.h
%C%_system_test_inject_LDFLAGS = $(WRAPS)
%C%_system_test_rare_SOURCES = %D%/system/test_rare.c %D%/system/wraps.c %D%/system/wraps.h
%C%_system_test_rare_LDFLAGS = $(WRAPS)
%D%/system/%.$(OBJEXT): AM_CPPFLAGS += -U_FORTIFY_SOURCE

check_PROGRAMS += $(unit_tests) $(contract_tests) $(system_tests)
TESTS += $(unit_tests) $(contract_tests) $(system_tests)
endif

dist_check_SCRIPTS += %D%/format.sh %D%/frames.sh %D%/includes.sh %D%/names.sh %D%/plt.sh %D%/style.sh \
	%D%/uninstall.sh
TESTS += %D%/format.sh %D%/frames.sh %D%/includes.sh %D%/names.sh %D%/plt.sh %D%/style.sh \
	%D%/uninstall.sh
CLEANFILES += test-*.heap
# Valgrind watches the programs; of the scripts it would see only the shell. The longest come first,
# so that nothing waits for them at the end. Threads take turns: else one that wants a lock which another
# takes again and again may wait for minutes.
VALGRIND_FLAGS = --num-callers=30 --fair-sched=try
# What unwinds compares words of the stack that nobody wrote, too.
watched_tests = $(filter-out %.sh tests/tools/unwinding,$(TESTS))
watched_first = $(filter tests/misuse/%,$(watched_tests))
check-valgrind-memcheck-local: MAKE += TESTS='$(watched_first) $(filter-out $(watched_first),$(watched_tests))'

# Helgrind looks at the threads that it can follow.
.PHONY: check-helgrind
check-helgrind: %D%/contract/test_threads
	CK_RUN_CASE=threads $(LIBTOOL) --mode=execute $(VALGRIND) --tool=helgrind $(VALGRIND_FLAGS) \
		--quiet --error-exitcode=9 %D%/contract/test_threads
