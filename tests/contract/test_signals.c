/* SPDX-License-Identifier: MIT */
/*
 * test_signals.c - signal handlers, which may use any heap but the one of the call they interrupt:
 * on x86-64 after each instruction of some calls, elsewhere before them.
 */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define SIZE ((size_t)512 * 1024)
#define HEAPS 9 /* more than a thread remembers its caches of */

static bheap_t *heaps[HEAPS], *handlers;
static struct faults faults;

/* ---- steps ---- */

static volatile unsigned steps;
static unsigned chosen;
static bool is_chosen;

#if defined(__x86_64__)
#define TRAP_FLAG 0x100u /* SIGTRAP after each instruction */

static void steps_begin(void)
{
	__builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
}

static void steps_end(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() &
				       ~(unsigned long long)TRAP_FLAG);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void steps_stop(ucontext_t *interrupted)
{
	interrupted->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}
#else
static void steps_begin(void)
{
	raise(SIGTRAP);
}

static void steps_end(void)
{
}

static void steps_stop(ucontext_t *interrupted)
{
	(void)interrupted;
}
#endif

static void heaps_make(unsigned flags, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_flags = SA_SIGINFO};

	threads_begin();
	faults_expect(&faults);
	for (int index = 0; index < HEAPS; index++)
		require(heaps[index] = bheap_create(SIZE, flags));
	handlers = heaps[HEAPS - 1];
	action.sa_sigaction = handler;
	require(!sigaction(SIGTRAP, &action, NULL));
}

static void heaps_end(size_t used_by_handlers)
{
	ck_assert_uint_gt(steps, 0);
	ck_assert_uint_eq(bheap_used(handlers), used_by_handlers);
	for (int index = 0; index < HEAPS; index++) {
		struct bheap_fault fault;

		ck_assert_msg(!bheap_check(heaps[index], &fault), "%s", fault.text);
		ck_assert(heaps[index] == handlers || !bheap_used(heaps[index]));
		ck_assert_int_eq(bheap_destroy(heaps[index]), 0);
	}
}

/* ---- blocks ---- */

#define KEPT 16

static void handler_allocates(int number, siginfo_t *info, void *context)
{
	static void *kept[KEPT];
	void **place = &kept[steps++ % KEPT];

	(void)number, (void)info, (void)context;
	require(!*place || !bheap_free(handlers, *place));
	require(*place = bheap_alloc(handlers, 48));
	require(bheap_owns(handlers, *place));
}

static void blocks_go_round(void)
{
	void *blocks[10];

	for (int index = 0; index < 10; index++)
		require(blocks[index] = bheap_alloc(heaps[0], 48));
	for (int index = 0; index < 10; index++)
		require(!bheap_free(heaps[0], blocks[index]));
}

START_TEST(handlers_allocate)
{
	if (is_watched() || is_emulated())
		return;
	heaps_make(_i ? BHEAP_CACHED : 0, handler_allocates);
	for (int round = 0; round < 4; round++) {
		blocks_go_round();
		steps_begin();
		blocks_go_round();
		steps_end();
	}
	ck_assert_msg(!faults.count, "%s", faults.last.text);
	heaps_end((steps < KEPT ? steps : KEPT) * 48);
}
END_TEST

/* ---- reports ---- */

static void handler_reports(int number, siginfo_t *info, void *context)
{
	(void)number, (void)info, (void)context;
	steps++;
	require(heap_free(handlers, &chosen) == -1);
}

static volatile unsigned reports;

/* In the handler of a fault, too, a signal comes after each instruction. */
static void report_count(const struct bheap_fault *fault, void *arg)
{
	(void)fault, (void)arg;
	__atomic_add_fetch(&reports, 1, __ATOMIC_RELAXED);
}

START_TEST(handlers_report)
{
	if (is_watched() || is_emulated())
		return;
	heaps_make(0, handler_reports);
	bheap_set_fault_handler(NULL, report_count, NULL);
	steps_begin();
	bheap_set_fault_handler(NULL, report_count, NULL);
	require(heap_free(heaps[0], &chosen) == -1);
	steps_end();
	ck_assert_uint_eq(reports, steps + 1);
	heaps_end(0);
}
END_TEST

/* ---- children of a fork, in which each heap is new ---- */

static void handler_allocates_once(int number, siginfo_t *info, void *context)
{
	void *block;

	(void)number, (void)info;
	if (steps++ != chosen)
		return;
	steps_stop(context);
	is_chosen = true;
	require(block = bheap_alloc(handlers, 48));
	require(!bheap_free(handlers, block));
}

/* A call in which little but that happens. */
static void child_steps(void)
{
	bool owns;

	steps_begin();
	owns = bheap_owns(heaps[0], NULL);
	steps_end();
	require(!owns && !bheap_check(heaps[0], NULL) && !bheap_check(handlers, NULL));
	child_exit(is_chosen);
}

START_TEST(handlers_come_first_in_a_child)
{
	int status = 1 << 8;

	if (is_watched() || is_emulated())
		return;
	heaps_make(0, handler_allocates_once);
	for (chosen = 0; WEXITSTATUS(status); chosen++) {
		pid_t pid = fork();

		require(pid >= 0);
		if (!pid)
			child_steps();
		require(waitpid(pid, &status, 0) == pid);
		require(WIFEXITED(status));
	}
	steps = chosen - 1;
	heaps_end(0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("signals", &tcase, 120);

	tcase_add_loop_test(tcase, handlers_allocate, 0, 2);
	tcase_add_test(tcase, handlers_report);
	tcase_add_test(tcase, handlers_come_first_in_a_child);
	return suite_run(suite);
}
