/* SPDX-License-Identifier: MIT */
/*
 * test_death.c - deaths inside a heap: of a process, with others attached or none; of a thread; and
 * the threads that a fork does not copy. The heap is whole for the next caller, which gets a
 * report.
 */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle/intent.h"
#include "handle/handle.h"

#define SIZE ((size_t)256 * 1024)

static const char *path;
static struct faults faults;

static void setup(void)
{
	path = path_make();
	faults_expect(&faults);
}

static bheap_t *make(unsigned flags)
{
	return path_heap(SIZE, flags);
}

/* ---- processes ---- */

static int callback_dies(const struct bheap_block *block, void *arg)
{
	(void)block;
	(void)arg;
	return raise(SIGKILL);
}

/* With the lock held. */
static int die_inside(void *arg)
{
	bheap_t *heap = bheap_open(path, 0, O_RDWR, 0, 0);

	(void)arg;
	return bheap_walk(heap, callback_dies, NULL);
}

static void recovered_once(bheap_t *heap)
{
	struct bheap_stats stats;

	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.recoveries, 1);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_RECOVERED);
	ck_assert_ptr_eq(faults.last.heap, heap);
}

START_TEST(the_next_to_lock_recovers)
{
	bheap_t *heap = make(0);
	struct child child;

	child_run(&child, die_inside, NULL);
	child_assert_killed(&child, SIGKILL);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	recovered_once(heap);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

static int die_inside_a_damaged_heap(void *arg)
{
	bheap_t *heap = bheap_open(path, 0, O_RDWR, 0, 0);

	/* Used where no block starts. */
	heap->core.map.words[0].used |= UINT64_C(1) << 3;
	(void)arg;
	return bheap_walk(heap, callback_dies, NULL);
}

/* What it wrote before it died is no map to rebuild from: every call says so, and changes nothing.
 */
START_TEST(a_damaged_map_is_not_recovered_from)
{
	bheap_t *heap = make(0);
	void *block = bheap_alloc(heap, 100);
	struct bheap_fault fault;
	struct child child;

	if (is_emulated())
		return;
	child_run(&child, die_inside_a_damaged_heap, NULL);
	child_assert_killed(&child, SIGKILL);
	for (unsigned calls = 0; calls < 3; calls++) {
		errno = 0;
		ck_assert_int_eq(heap_free(heap, block), -1);
		ck_assert_errno(EUCLEAN);
	}
	fault.kind = BHEAP_FAULT_NONE;
	ck_assert_int_eq(bheap_check(heap, &fault), -1);
	ck_assert_errno(EUCLEAN);
	ck_assert_int_eq(fault.kind, BHEAP_FAULT_DAMAGED_MAP);
	ck_assert_ptr_eq(fault.heap, heap);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DAMAGED_MAP);
	ck_assert(bh_map_is_used(&heap->core.map, 3));
	ck_assert_int_eq(bheap_close(heap), 0);
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EUCLEAN);
}
END_TEST

START_TEST(the_next_to_open_recovers)
{
	struct child child;
	bheap_t *heap;

	ck_assert_int_eq(bheap_close(make(0)), 0);
	child_run(&child, die_inside, NULL);
	child_assert_killed(&child, SIGKILL);
	heap = make(0);
	recovered_once(heap);
	ck_assert_int_eq(bheap_close(heap), 0);
	faults_expect(&faults);
	heap = make(0);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/*
 * A heap from before a restart of the machine: its lock is held by no process that the kernel knows
 * of. That somebody reads it already must not keep the first writer from making it whole.
 */
static int leave_locked(void *arg)
{
	bheap_t *heap = make(0);

	(void)arg;
	heap->shared->inside = 1;
	heap->shared->mutex.__data.__lock = 1; /* a process that lives, and holds no such lock */
	return 0;
}

START_TEST(readers_do_not_hinder_a_revival)
{
	bheap_t *heap, *reader;
	struct child child;

	child_run(&child, leave_locked, NULL);
	child_assert_exited(&child, 0);
	reader = bheap_open(path, 0, O_RDONLY, 0, 0);
	ck_assert_ptr_nonnull(reader);
	heap = bheap_open(path, 0, O_RDWR, 0, 0);
	ck_assert_ptr_nonnull(heap);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	recovered_once(heap);
	ck_assert_int_eq(bheap_close(reader), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- threads ---- */

static int callback_ends_the_thread(const struct bheap_block *block, void *arg)
{
	(void)block;
	pthread_exit(arg);
}

static void *end_inside(void *heap)
{
	bheap_walk(heap, callback_ends_the_thread, heap);
	return NULL;
}

/* A thread that waits to be cancelled, in the middle of printing. */
static void *print_for_ever(void *arg)
{
	struct {
		bheap_t *heap;
		FILE *stream;
	} *both = arg;

	for (;;)
		bheap_display(both->heap, both->stream);
	return NULL;
}

static void *thread_use(void *heap)
{
	void *block = bheap_alloc(heap, 32);

	return block && bheap_free(heap, block) == 0 && bheap_check(heap, NULL) == 0 ? heap : NULL;
}

static void *thread_result(void *(*body)(void *), void *arg)
{
	pthread_t thread;
	void *result;

	ck_assert_int_eq(pthread_create(&thread, NULL, body, arg), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	return result;
}

START_TEST(a_thread_ends_inside)
{
	bheap_t *heaps[] = {make(0), bheap_create(SIZE, 0)};

	for (unsigned index = 0; index < 2; index++) {
		bheap_t *heap = heaps[index];

		ck_assert_ptr_eq(thread_result(end_inside, heap), heap);
		/* Not even a thread that takes after it. */
		ck_assert_ptr_eq(thread_result(thread_use, heap), heap);
		ck_assert_ptr_eq(thread_use(heap), heap);
		ck_assert_int_eq(bheap_destroy(heap), 0);
	}
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(a_thread_is_cancelled_while_it_prints)
{
	int ends[2];
	pthread_t thread;
	void *result;
	struct {
		bheap_t *heap;
		FILE *stream;
	} both = {.heap = make(0)};

	if (is_watched()) /* the sanitizers lose track of a stack that is unwound */
		return;
	for (unsigned index = 0; index < 2000; index++)
		ck_assert_ptr_nonnull(bheap_alloc(both.heap, 16));
	ck_assert_int_eq(pipe(ends), 0);
	both.stream = fdopen(ends[1], "w");
	ck_assert_int_eq(pthread_create(&thread, NULL, print_for_ever, &both), 0);
	/* Until the pipe is full, and the thread waits with the lock held. */
	while (pthread_mutex_trylock(&both.heap->shared->mutex) == 0) {
		pthread_mutex_unlock(&both.heap->shared->mutex);
		usleep(1000);
	}
	usleep(50 * 1000);
	ck_assert_int_eq(pthread_cancel(thread), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	signal(SIGPIPE, SIG_IGN);
	close(ends[0]); /* the rest of the output goes nowhere */
	ck_assert_ptr_eq(thread_use(both.heap), both.heap);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(bheap_close(both.heap), 0);
}
END_TEST

/* ---- threads that a fork does not copy ---- */

static int stop;

static void *work(void *heap)
{
	uint64_t random = 5;
	void *blocks[32] = {0};

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		uint64_t index = random_below(&random, 32);

		blocks[index] = bheap_realloc(heap, blocks[index], 1 + random_below(&random, 2000));
		if (random_below(&random, 2)) {
			bheap_free(heap, blocks[index]);
			blocks[index] = NULL;
		}
	}
	return NULL;
}

static int use(void *heap)
{
	signal(SIGALRM, SIG_DFL);
	alarm(30);
	return thread_use(heap) && bheap_alloc(heap, 100) && thread_use(heap) ? 0 : 1;
}

/* While a thread works on the heap, the process forks: child and parent go on. */
static void fork_often(bheap_t *heap)
{
	pthread_t thread;

	stop = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, work, heap), 0);
	for (unsigned round = 0; round < (is_watched() ? 10 : 300); round++) {
		int status;
		pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (!pid) {
			leaks_ignore();
			child_exit(use(heap));
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, 0);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

START_TEST(forks_beside_a_private_heap)
{
	fork_often(bheap_create(SIZE, 0));
}
END_TEST

/* Without a death nothing is recovered. */
START_TEST(forks_beside_a_shared_heap)
{
	bheap_t *heap = bheap_open(path, SIZE * 4, O_RDWR | O_CREAT, 0600, BHEAP_GUARD);

	fork_often(heap);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("death", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, path_remove);
	tcase_add_test(tcase, the_next_to_lock_recovers);
	tcase_add_test(tcase, a_damaged_map_is_not_recovered_from);
	tcase_add_test(tcase, the_next_to_open_recovers);
	tcase_add_test(tcase, readers_do_not_hinder_a_revival);
	tcase_add_test(tcase, a_thread_ends_inside);
	tcase_add_test(tcase, a_thread_is_cancelled_while_it_prints);
	tcase_add_test(tcase, forks_beside_a_private_heap);
	tcase_add_test(tcase, forks_beside_a_shared_heap);
	return suite_run(suite);
}
