/* SPDX-License-Identifier: MIT */
/*
 * test_lock.c - locks: skipped by a process known to have one thread, really held otherwise; how a
 * thread waits; what a fork and a death make of them; refusals inside a callback.
 */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/lock.h"
#include "os/wait.h"

START_TEST(none_is_always_skipped)
{
	struct bh_lock lock;

	threads_begin();
	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_NONE, NULL), 0);
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_SKIPPED);
	ck_assert_int_eq(bh_lock_hold(&lock), BH_LOCK_SKIPPED);
	bh_lock_destroy(&lock);
}
END_TEST

START_TEST(one_thread_skips_a_private_lock)
{
	struct bh_lock lock;
	enum bh_lock_result expected = __libc_single_threaded ? BH_LOCK_SKIPPED : BH_LOCK_HELD;

	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	ck_assert_int_eq(bh_lock_may_skip(&lock), expected == BH_LOCK_SKIPPED);
	ck_assert_int_eq(bh_lock_acquire(&lock), expected);
	if (expected == BH_LOCK_HELD)
		bh_lock_release(&lock);
	ck_assert_int_eq(bh_lock_hold(&lock), BH_LOCK_HELD);
	bh_lock_release(&lock);
	bh_lock_destroy(&lock);
}
END_TEST

static struct bh_lock shared_by_threads;
static int inside, entries;

static void *enter_often(void *arg)
{
	for (int round = 0; round < 2000; round++) {
		if (bh_lock_acquire(&shared_by_threads) != BH_LOCK_HELD)
			return "not held";
		if (inside++)
			return "two at once";
		entries++;
		inside--;
		bh_lock_release(&shared_by_threads);
	}
	return arg;
}

START_TEST(threads_exclude_each_other)
{
	pthread_t threads[4];
	void *result;

	ck_assert_int_eq(bh_lock_init(&shared_by_threads, BH_LOCK_PRIVATE, NULL), 0);
	for (int index = 0; index < 4; index++)
		pthread_create(&threads[index], NULL, enter_often, NULL);
	for (int index = 0; index < 4; index++) {
		pthread_join(threads[index], &result);
		ck_assert_msg(!result, "%s", (char *)result);
	}
	ck_assert_int_eq(entries, 8000);
	ck_assert(!bh_lock_may_skip(&shared_by_threads));
	bh_lock_destroy(&shared_by_threads);
}
END_TEST

/* What is free is taken at once, and only then. */
START_TEST(a_try_does_not_wait)
{
	struct bh_lock lock;

	threads_begin();
	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	ck_assert(bh_lock_try(&lock));
	ck_assert(!bh_lock_try(&lock));
	bh_lock_release_tried(&lock, BH_LOCK_BY_SPIN);
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	ck_assert(!bh_lock_try(&lock));
	bh_lock_release(&lock);
	ck_assert(bh_lock_try(&lock));
	bh_lock_release_tried(&lock, BH_LOCK_BY_SPIN);
	bh_lock_destroy(&lock);
}
END_TEST

/* By the count of turns others see that the lock is taken again and again. */
START_TEST(each_time_it_is_taken_is_a_turn)
{
	struct bh_lock lock;
	unsigned turns;

	threads_begin();
	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	turns = lock.turns;
	ck_assert(bh_lock_try(&lock));
	ck_assert_uint_eq(lock.turns, turns + 1);
	ck_assert(!bh_lock_try(&lock));
	bh_lock_release_tried(&lock, BH_LOCK_BY_SPIN);
	ck_assert_uint_eq(lock.turns, turns + 1);
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	bh_lock_release(&lock);
	ck_assert_uint_eq(lock.turns, turns + 2);
	bh_lock_destroy(&lock);
}
END_TEST

/* Whoever holds it may send those away who only try: they find it free, and do not get it. */
START_TEST(a_detour_refuses_tries)
{
	struct bh_lock lock;

	threads_begin();
	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
		bh_lock_set_detour(&lock, !round);
		bh_lock_release(&lock);
		ck_assert_int_eq(bh_lock_try(&lock) != BH_LOCK_NOT_TAKEN, round);
		if (round)
			bh_lock_release_tried(&lock, BH_LOCK_BY_SPIN);
	}
	bh_lock_destroy(&lock);
}
END_TEST

/* It is not free of what it has to tell: a copy made by a fork, an operation that was cut short. */
START_TEST(a_try_leaves_repairs_alone)
{
	struct bh_lock lock;

	threads_begin();
	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	lock.torn = lock.detour = true;
	ck_assert(!bh_lock_try(&lock));
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_TORN);
	bh_lock_recovered(&lock);
	bh_lock_release(&lock);
	ck_assert(bh_lock_try(&lock));
	bh_lock_release_tried(&lock, BH_LOCK_BY_SPIN);
	lock.generation--;
	ck_assert(!bh_lock_try(&lock));
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	bh_lock_release(&lock);
	ck_assert(bh_lock_try(&lock));
	bh_lock_release_tried(&lock, BH_LOCK_BY_SPIN);
	bh_lock_destroy(&lock);
}
END_TEST

/* ---- waiting ---- */

/* What a thread tells that waited for shared_by_threads. */
struct waiter {
	pthread_t thread;
	bool came_in;
	int error;        /* errno afterwards */
	double processor; /* seconds */
};

static void *wait_and_tell(void *arg)
{
	struct waiter *waiter = arg;
	struct timespec used;

	errno = 0;
	if (bh_lock_acquire(&shared_by_threads) == BH_LOCK_HELD) {
		waiter->came_in = true;
		bh_lock_release(&shared_by_threads);
	}
	waiter->error = errno;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	waiter->processor = (double)used.tv_sec + (double)used.tv_nsec / 1e9;
	pthread_testcancel();
	return arg;
}

/* Held from now on. */
static void hold(void)
{
	threads_begin();
	ck_assert_int_eq(bh_lock_init(&shared_by_threads, BH_LOCK_PRIVATE, NULL), 0);
	ck_assert_int_eq(bh_lock_acquire(&shared_by_threads), BH_LOCK_HELD);
}

static void waiter_begin(struct waiter *waiter)
{
	*waiter = (struct waiter){.came_in = false};
	ck_assert_int_eq(pthread_create(&waiter->thread, NULL, wait_and_tell, waiter), 0);
}

static void hold_and_begin(struct waiter *waiter)
{
	hold();
	waiter_begin(waiter);
}

/* A thread that waits long sleeps: its holder may need the processor. */
START_TEST(a_long_wait_is_slept_through)
{
	struct waiter waiter;

	hold_and_begin(&waiter);
	usleep(300000);
	bh_lock_release(&shared_by_threads);
	pthread_join(waiter.thread, NULL);
	ck_assert(waiter.came_in);
	ck_assert(waiter.processor < 0.15 || is_watched() || is_emulated());
	bh_lock_destroy(&shared_by_threads);
}
END_TEST

static void signal_ignore(int number)
{
	(void)number;
}

/* A signal does not end the wait, and is not told of. */
START_TEST(a_wait_is_interrupted)
{
	const struct sigaction ignore = {.sa_handler = signal_ignore};
	struct waiter waiter;

	ck_assert_int_eq(sigaction(SIGUSR1, &ignore, NULL), 0);
	hold_and_begin(&waiter);
	for (int round = 0; round < 50; round++) {
		usleep(1000);
		pthread_kill(waiter.thread, SIGUSR1);
	}
	bh_lock_release(&shared_by_threads);
	pthread_join(waiter.thread, NULL);
	ck_assert(waiter.came_in);
	ck_assert_int_eq(waiter.error, 0);
	bh_lock_destroy(&shared_by_threads);
}
END_TEST

/* A thread that waits is not cancelled there, with what others need to wait. */
START_TEST(a_wait_is_no_cancellation_point)
{
	struct waiter waiter;
	void *result;

	hold_and_begin(&waiter);
	usleep(20000);
	pthread_cancel(waiter.thread);
	usleep(20000);
	bh_lock_release(&shared_by_threads);
	pthread_join(waiter.thread, &result);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert(waiter.came_in);
	ck_assert_uint_eq(shared_by_threads.queue, 0);
	bh_lock_destroy(&shared_by_threads);
}
END_TEST

static uint32_t queue_word(void)
{
	return __atomic_load_n(&shared_by_threads.queue, __ATOMIC_RELAXED);
}

/* A waiter at the lock is not overtaken by a thread that comes when the next is let in. */
START_TEST(who_waits_comes_first)
{
	struct waiter waiter;
	uint32_t word;

	/* Emulators do not keep that order. */
	if (is_emulated() || is_watched())
		return;
	hold();
	/* Before there is a thread that might come first, and wait for this one. */
	ck_assert(bh_wait_in_queue(&shared_by_threads.queue));
	word = queue_word();
	waiter_begin(&waiter);
	/* It changes when somebody begins to wait. */
	while (queue_word() == word)
		usleep(1000);
	bh_wait_leave_queue(&shared_by_threads.queue);
	ck_assert_uint_ne(queue_word(), 0);
	bh_lock_release(&shared_by_threads);
	pthread_join(waiter.thread, NULL);
	ck_assert(waiter.came_in);
	bh_lock_destroy(&shared_by_threads);
}
END_TEST

/* Its own thread holds the queue already: it is told so, and waits without. */
START_TEST(a_queue_that_refuses)
{
	uint32_t queue = 0;

	if (is_emulated())
		return;
	ck_assert(bh_wait_in_queue(&queue));
	errno = ENOTTY;
	ck_assert(!bh_wait_in_queue(&queue));
	ck_assert_errno(ENOTTY);
	bh_wait_leave_queue(&queue);
	ck_assert_uint_eq(queue, 0);
}
END_TEST

#define RUN_TURNS 400000
#define ROUNDS 5
#define NAP 100000 /* nanoseconds: the shortest of lib/os/lock.c */

static pthread_barrier_t start;
static const void *last_holder;
static int handovers;

static void *take_turns(void *arg)
{
	pthread_barrier_wait(&start);
	for (int turn = 0; turn < RUN_TURNS; turn++) {
		if (bh_lock_acquire(&shared_by_threads) != BH_LOCK_HELD)
			return "not held";
		handovers += last_holder != arg;
		last_holder = arg;
		bh_lock_release(&shared_by_threads);
	}
	return NULL;
}

/* Keeps a thread on the processor of that number among those that this process may use, if any. */
static void thread_pin(pthread_t thread, int number)
{
	cpu_set_t usable, one;

	if (sched_getaffinity(0, sizeof(usable), &usable))
		return;
	for (size_t processor = 0; processor < CPU_SETSIZE; processor++) {
		if (!CPU_ISSET(processor, &usable) || number--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(processor, &one);
		pthread_setaffinity_np(thread, sizeof(one), &one);
		return;
	}
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Two threads take turns, each on a processor of its own; how long that takes. */
static int64_t turns_run(void)
{
	static char names[2];
	pthread_t threads[2];
	int64_t began;

	handovers = 0;
	for (int index = 0; index < 2; index++) {
		pthread_create(&threads[index], NULL, take_turns, &names[index]);
		thread_pin(threads[index], index);
	}
	began = now();
	pthread_barrier_wait(&start);
	for (int index = 0; index < 2; index++) {
		void *result;

		pthread_join(threads[index], &result);
		ck_assert_ptr_null(result);
	}
	return now() - began;
}

/*
 * The lock does not go to and fro with every turn: what it guards is slow to move. A thread that
 * waits naps, then takes the lock, and the other one naps: a handover for a nap, however few turns
 * a busy machine has time for meanwhile. There a holder may be so slow that it is not seen to take
 * turn after turn, and is not left alone: one round without must do.
 */
START_TEST(threads_take_runs_of_turns)
{
	int rounds = ROUNDS;
	int64_t allowed;

	if (is_watched() || is_emulated())
		return;
	ck_assert_int_eq(bh_lock_init(&shared_by_threads, BH_LOCK_PRIVATE, NULL), 0);
	pthread_barrier_init(&start, NULL, 3);
	do {
		allowed = turns_run() / NAP + RUN_TURNS / 1000;
	} while (handovers >= allowed && --rounds);
	pthread_barrier_destroy(&start);
	bh_lock_destroy(&shared_by_threads);
}
END_TEST

/* ---- fork ---- */

static int acquire_after_fork(void *arg)
{
	struct bh_lock *lock = arg;
	enum bh_lock_result first = bh_lock_acquire(lock), second;

	if (first == BH_LOCK_TORN)
		bh_lock_recovered(lock);
	if (first != BH_LOCK_SKIPPED)
		bh_lock_release(lock);
	second = bh_lock_acquire(lock);
	if (second == BH_LOCK_HELD)
		bh_lock_release(lock);
	bh_lock_destroy(lock);
	return second == BH_LOCK_TORN ? 99 : (int)first;
}

START_TEST(a_fork_frees_an_idle_lock)
{
	struct child child;
	struct bh_lock lock;

	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	threads_begin();
	/* Its last holder has let go of it. */
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	bh_lock_release(&lock);
	child_run(&child, acquire_after_fork, &lock);
	ck_assert(WIFEXITED(child.status));
	ck_assert_int_ne(WEXITSTATUS(child.status), BH_LOCK_TORN);
	ck_assert_int_ne(WEXITSTATUS(child.status), BH_LOCK_REFUSED);
	bh_lock_destroy(&lock);
}
END_TEST

/* Held by a thread that the child does not have: torn there, once; still held here. */
START_TEST(a_fork_tears_a_held_lock)
{
	struct child child;
	struct bh_lock lock;

	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	threads_begin();
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	child_run(&child, acquire_after_fork, &lock);
	child_assert_exited(&child, BH_LOCK_TORN);
	bh_lock_release(&lock);
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	bh_lock_release(&lock);
	bh_lock_destroy(&lock);
}
END_TEST

static int child_of_child(void *arg)
{
	struct child child;

	child_run(&child, acquire_after_fork, arg);
	return WIFEXITED(child.status) ? WEXITSTATUS(child.status) : 98;
}

START_TEST(a_fork_of_a_fork_still_knows)
{
	struct child child;
	struct bh_lock lock;

	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	threads_begin();
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	child_run(&child, child_of_child, &lock);
	child_assert_exited(&child, BH_LOCK_TORN);
	bh_lock_release(&lock);
	bh_lock_destroy(&lock);
}
END_TEST

/* Torn, and let go of unrepaired: so it is for the next copy too. */
static int child_that_repairs_nothing(void *arg)
{
	struct child child;

	if (bh_lock_acquire(arg) != BH_LOCK_TORN)
		return 97;
	bh_lock_release(arg);
	child_run(&child, acquire_after_fork, arg);
	return WIFEXITED(child.status) ? WEXITSTATUS(child.status) : 98;
}

START_TEST(a_lock_stays_torn_until_it_is_repaired)
{
	struct child child;
	struct bh_lock lock;

	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	threads_begin();
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	child_run(&child, child_that_repairs_nothing, &lock);
	child_assert_exited(&child, BH_LOCK_TORN);
	bh_lock_release(&lock);
	bh_lock_destroy(&lock);
}
END_TEST

/* One thread does not skip a lock that is torn. */
START_TEST(a_torn_lock_is_not_skipped)
{
	enum bh_lock_result usual = __libc_single_threaded ? BH_LOCK_SKIPPED : BH_LOCK_HELD;
	struct bh_lock lock;

	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	ck_assert_int_eq(bh_lock_acquire(&lock), usual);
	if (usual == BH_LOCK_HELD)
		bh_lock_release(&lock);
	lock.torn = true;
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_TORN);
	bh_lock_recovered(&lock);
	bh_lock_release(&lock);
	ck_assert_int_eq(bh_lock_acquire(&lock), usual);
	if (usual == BH_LOCK_HELD)
		bh_lock_release(&lock);
	bh_lock_destroy(&lock);
}
END_TEST

/* A lock that another process made is not this one's to destroy. */
static int destroy_at_once(void *arg)
{
	bh_lock_destroy(arg);
	return 0;
}

START_TEST(a_copy_is_destroyed_unused)
{
	struct child child;
	struct bh_lock lock;

	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
	threads_begin();
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	child_run(&child, destroy_at_once, &lock);
	child_assert_exited(&child, 0);
	bh_lock_release(&lock);
	bh_lock_destroy(&lock);
}
END_TEST

/* ---- processes ---- */

static pthread_mutex_t *mutex_make(void)
{
	pthread_mutex_t *mutex = mmap(NULL, sizeof(*mutex), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert(mutex != MAP_FAILED);
	ck_assert_int_eq(bh_lock_init_shared(mutex), 0);
	return mutex;
}

static int die_inside(void *arg)
{
	bh_lock_acquire(arg);
	raise(SIGKILL);
	return 0;
}

START_TEST(a_death_tears_a_shared_lock)
{
	struct child child;
	struct bh_lock lock;

	if (is_emulated())
		return;
	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_SHARED, mutex_make()), 0);
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	bh_lock_release(&lock);
	for (int round = 0; round < 3; round++) {
		child_run(&child, die_inside, &lock);
		child_assert_killed(&child, SIGKILL);
		ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_TORN);
		bh_lock_recovered(&lock);
		bh_lock_release(&lock);
		ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
		bh_lock_release(&lock);
	}
	bh_lock_destroy(&lock);
	munmap(lock.shared, sizeof(*lock.shared));
}
END_TEST

/* Released without a repair: no thread ever enters again, and each is told so. */
START_TEST(an_unrepaired_shared_lock_is_refused)
{
	struct child child;
	struct bh_lock lock;

	if (is_emulated())
		return;
	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_SHARED, mutex_make()), 0);
	child_run(&child, die_inside, &lock);
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_TORN);
	bh_lock_release(&lock);
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_REFUSED);
	ck_assert_errno(EUCLEAN);
	munmap(lock.shared, sizeof(*lock.shared));
}
END_TEST

/* ---- callbacks ---- */

START_TEST(a_walker_is_refused)
{
	static const enum bh_lock_kind kinds[] = {BH_LOCK_NONE, BH_LOCK_PRIVATE, BH_LOCK_SHARED};
	pthread_mutex_t *mutex = mutex_make();
	struct bh_lock lock;

	threads_begin();
	ck_assert_int_eq(bh_lock_init(&lock, kinds[_i], mutex), 0);
	ck_assert_int_eq(bh_lock_hold(&lock), _i ? BH_LOCK_HELD : BH_LOCK_SKIPPED);
	bh_lock_walk(&lock, true);
	errno = 0;
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_REFUSED);
	ck_assert_errno(EDEADLK);
	ck_assert_int_eq(bh_lock_hold(&lock), BH_LOCK_REFUSED);
	bh_lock_walk(&lock, false);
	if (_i)
		bh_lock_release(&lock);
	ck_assert_int_eq(bh_lock_hold(&lock), _i ? BH_LOCK_HELD : BH_LOCK_SKIPPED);
	if (_i)
		bh_lock_release(&lock);
	bh_lock_destroy(&lock);
	munmap(mutex, sizeof(*mutex));
}
END_TEST

static int forget_in_child(void *arg)
{
	return bh_lock_is_walking(arg) && !bh_lock_forget_walk(arg) ? 0 : 1;
}

static void *forget_in_thread(void *arg)
{
	return bh_lock_forget_walk(arg) ? arg : NULL;
}

static int forget_in_childs_thread(void *arg)
{
	pthread_t thread;
	void *forgotten = NULL;

	if (!pthread_create(&thread, NULL, forget_in_thread, arg))
		pthread_join(thread, &forgotten);
	return forgotten == arg && !bh_lock_forget_walk(arg) && !bh_lock_is_walking(arg) ? 0 : 1;
}

/*
 * Neither while it is under way, by any thread, nor by the thread of a child that goes on with it:
 * by the other threads of that child.
 */
START_TEST(a_walk_is_not_forgotten)
{
	struct child child;
	struct bh_lock lock;
	pthread_t thread;
	void *forgotten;

	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_NONE, NULL), 0);
	bh_lock_walk(&lock, true);
	ck_assert(!bh_lock_forget_walk(&lock));
	child_run(&child, forget_in_child, &lock);
	child_assert_exited(&child, 0);
	/* The thread sanitizer lets no child of threads make threads. */
	if (!is_watched()) {
		child_run(&child, forget_in_childs_thread, &lock);
		child_assert_exited(&child, 0);
	}
	ck_assert_int_eq(pthread_create(&thread, NULL, forget_in_thread, &lock), 0);
	pthread_join(thread, &forgotten);
	ck_assert_ptr_null(forgotten);
	ck_assert(bh_lock_is_walking(&lock));
	bh_lock_destroy(&lock);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("lock", &tcase, 20);

	tcase_add_test(tcase, none_is_always_skipped);
	tcase_add_test(tcase, one_thread_skips_a_private_lock);
	tcase_add_test(tcase, threads_exclude_each_other);
	tcase_add_test(tcase, a_try_does_not_wait);
	tcase_add_test(tcase, each_time_it_is_taken_is_a_turn);
	tcase_add_test(tcase, a_detour_refuses_tries);
	tcase_add_test(tcase, a_try_leaves_repairs_alone);
	tcase_add_test(tcase, a_long_wait_is_slept_through);
	tcase_add_test(tcase, a_wait_is_interrupted);
	tcase_add_test(tcase, a_wait_is_no_cancellation_point);
	tcase_add_test(tcase, who_waits_comes_first);
	tcase_add_test(tcase, a_queue_that_refuses);
	tcase_add_test(tcase, threads_take_runs_of_turns);
	tcase_add_test(tcase, a_fork_frees_an_idle_lock);
	tcase_add_test(tcase, a_fork_tears_a_held_lock);
	tcase_add_test(tcase, a_fork_of_a_fork_still_knows);
	tcase_add_test(tcase, a_lock_stays_torn_until_it_is_repaired);
	tcase_add_test(tcase, a_torn_lock_is_not_skipped);
	tcase_add_test(tcase, a_copy_is_destroyed_unused);
	tcase_add_test(tcase, a_death_tears_a_shared_lock);
	tcase_add_test(tcase, an_unrepaired_shared_lock_is_refused);
	tcase_add_loop_test(tcase, a_walker_is_refused, 0, 3);
	tcase_add_test(tcase, a_walk_is_not_forgotten);
	return suite_run(suite);
}
