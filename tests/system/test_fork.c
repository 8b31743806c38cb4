/* SPDX-License-Identifier: MIT */
/*
 * test_fork.c - the child of a fork uses heaps at once, whatever the threads of the parent were
 * doing and whichever handler of pthread_atfork(3) asks first; settings that other threads change
 * meanwhile; a kernel or sandbox that refuses what the library would like.
 */
#include "support.h"

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle/enter.h"

#define SIZE (64 * 1024)
#define FORKS (is_watched() ? 30 : 300)
#define CHILD_SECONDS 5

static bheap_t *heap, *other;
static unsigned stop; /* atomic */
static void (*early_child)(void);

/* Registered before the library has any: constructors of the program run with priorities. */
static void child_first(void)
{
	if (early_child)
		early_child();
}

__attribute__((constructor(101))) static void register_first(void)
{
	pthread_atfork(NULL, NULL, child_first);
}

static void fault_ignore(const struct bheap_fault *fault, void *arg)
{
	(void)fault;
	(void)arg;
}

static void setup(void)
{
	heap = bheap_create(SIZE, 0);
	other = bheap_create(SIZE, 0);
	ck_assert(heap && other);
	bheap_set_fault_handler(NULL, fault_ignore, NULL);
	stop = 0;
}

static bool is_stopped(void)
{
	return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void *report_on(void *arg)
{
	while (!is_stopped()) {
		heap_free(arg, arg);
		bheap_set_fault_handler(NULL, fault_ignore, NULL);
	}
	return NULL;
}

/* No two calls are as long: Valgrind's turns of threads would fall in step, always inside a call.
 */
static void *allocate_on(void *arg)
{
	uint64_t random = (uintptr_t)&random;

	while (!is_stopped()) {
		heap_free(arg, bheap_alloc(arg, 100));
		for (volatile size_t pause = random_below(&random, 8); pause; pause--)
			;
	}
	return NULL;
}

static void heap_use(void)
{
	void *block = bheap_alloc(heap, 10);

	if (!block || heap_free(heap, block))
		_exit(1);
	heap_free(heap, heap);
}

static pid_t fork_plainly(void)
{
	return fork();
}

/*
 * A child that did well stops, for its parent to kill: at an exit memcheck would take for leaks
 * what only the parent's threads, which the child does not have, point to.
 */
static void child_end(bool is_as_expected)
{
	if (is_as_expected && !watched_errors())
		raise(SIGSTOP);
	_exit(1);
}

static void child_expect(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	if (WIFSIGNALED(status))
		ck_abort_msg("a child was ended by signal %d", WTERMSIG(status));
	ck_assert(WIFSTOPPED(status));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

/* Forks while threads work; uses says what each child does. */
static void fork_often(pid_t (*copy)(void), void (*use)(void), void *(*work)(void *), bheap_t *on)
{
	pthread_t threads[2];

	for (unsigned index = 0; index < 2; index++)
		ck_assert_int_eq(pthread_create(&threads[index], NULL, work, on), 0);
	for (unsigned count = 0; count < FORKS; count++) {
		pid_t pid = copy();

		if (!pid) {
			alarm(CHILD_SECONDS);
			use();
			child_end(true);
		}
		child_expect(pid);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned index = 0; index < 2; index++)
		pthread_join(threads[index], NULL);
}

START_TEST(a_child_reports_while_the_parent_reported)
{
	fork_often(fork_plainly, heap_use, report_on, other);
}
END_TEST

static void alarm_and_use(void)
{
	alarm(CHILD_SECONDS);
	heap_use();
}

START_TEST(a_child_handler_that_comes_first_uses_a_heap)
{
	if (is_emulated()) /* it says that it wipes a page, and does not */
		return;
	early_child = alarm_and_use;
	fork_often(fork_plainly, heap_use, allocate_on, heap);
	early_child = NULL;
}
END_TEST

/* It runs no handler. Where the kernel cannot wipe a page, it is excepted. */
START_TEST(a_child_of_a_bare_fork_uses_a_heap)
{
	if (is_thread_sanitized() || is_emulated()) /* qemu wipes no page, though it says so */
		return;
	if (_i)
		fork_often(_Fork, heap_use, allocate_on, heap);
	else
		fork_often(_Fork, heap_use, report_on, other);
}
END_TEST

/* ---- walks ---- */

static pthread_barrier_t inside, done;

static int wait_inside(const struct bheap_block *block, void *arg)
{
	(void)block;
	(void)arg;
	pthread_barrier_wait(&inside);
	pthread_barrier_wait(&done);
	return 1;
}

static void *walk(void *arg)
{
	bheap_walk(arg, wait_inside, NULL);
	return NULL;
}

/* A walk of another thread keeps the fast path closed; in the child there is no such walk. */
START_TEST(a_walk_that_is_not_there_any_more)
{
	bheap_t *walked = _i ? bheap_create(SIZE, BHEAP_UNLOCKED) : heap;
	unsigned skip_lock = walked->skip_lock;
	pthread_t thread;
	pid_t pid;

	pthread_barrier_init(&inside, NULL, 2);
	pthread_barrier_init(&done, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, walk, walked), 0);
	pthread_barrier_wait(&inside);
	pid = fork();
	if (!pid) {
		alarm(CHILD_SECONDS);
		child_end(bheap_alloc(walked, 1) && walked->skip_lock == skip_lock);
	}
	child_expect(pid);
	pthread_barrier_wait(&done);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(walked->skip_lock, skip_lock);
}
END_TEST

static int end_walk(void *arg)
{
	bh_leave_walk(arg);
	return 0;
}

/* What a child does at the end of a walk that it did not begin is nothing to the shared heap. */
START_TEST(a_child_clears_no_intent)
{
	FILE *file = tmpfile();
	bheap_t *shared = bheap_open_fd(dup(fileno(file)), SIZE, 0);
	struct child child;
	struct bh_call call;

	ck_assert_ptr_nonnull(shared);
	ck_assert(bh_enter_to_walk(&call, shared));
	child_run(&child, end_walk, &call);
	child_assert_exited(&child, 0);
	ck_assert_uint_eq(shared->shared->inside, 1);
	bh_leave_walk(&call);
	ck_assert_uint_eq(shared->shared->inside, 0);
	ck_assert_ptr_nonnull(bheap_alloc(shared, 1));
	fclose(file);
	bheap_close(shared);
}
END_TEST

/* ---- the environment ---- */

static void *variables_set(void *arg)
{
	char name[32];

	(void)arg;
	for (unsigned long count = 0; !is_stopped() && count < 60000; count++) {
		snprintf(name, sizeof(name), "BHEAP_TEST_%lu", count);
		setenv(name, "1", 1);
	}
	return NULL;
}

START_TEST(the_environment_changes_during_reports)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, variables_set, NULL), 0);
	for (unsigned count = 0; count < 300000; count++)
		heap_free(heap, heap);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}
END_TEST

/* ---- sandboxes ---- */

/* From now on each futex operation on priority-inheriting locks is refused. */
static void futexes_refuse(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (unsigned)FUTEX_CMD_MASK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_LOCK_PI, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_UNLOCK_PI, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(77);
}

static int contend(void *arg)
{
	pthread_t threads[4];

	(void)arg;
	futexes_refuse();
	for (unsigned index = 0; index < 4; index++)
		if (pthread_create(&threads[index], NULL, allocate_on, heap))
			return 1;
	/* Long turns: waiters nap, and then queue. */
	for (unsigned count = 0; count < 300; count++)
		bheap_check(heap, NULL);
	usleep(300000);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (unsigned index = 0; index < 4; index++)
		pthread_join(threads[index], NULL);
	return 0;
}

START_TEST(a_sandbox_refuses_queues)
{
	struct child child;

	child_run(&child, contend, NULL);
	if (WIFEXITED(child.status) && WEXITSTATUS(child.status) == 77)
		return;
	child_assert_exited(&child, 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("fork", &tcase, 120);

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, a_child_reports_while_the_parent_reported);
	tcase_add_test(tcase, a_child_handler_that_comes_first_uses_a_heap);
	tcase_add_loop_test(tcase, a_child_of_a_bare_fork_uses_a_heap, 0, 2);
	tcase_add_loop_test(tcase, a_walk_that_is_not_there_any_more, 0, 2);
	tcase_add_test(tcase, a_child_clears_no_intent);
	tcase_add_test(tcase, the_environment_changes_during_reports);
	tcase_add_test(tcase, a_sandbox_refuses_queues);
	return suite_run(suite);
}
