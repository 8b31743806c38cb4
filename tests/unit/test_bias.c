/* SPDX-License-Identifier: MIT */
/*
 * test_bias.c - os/lock.h: a private lock that is one thread's own, taken without an atomic
 * operation until another thread comes.
 */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/barrier.h"
#include "os/lock.h"

#define SOON 4096
#define BURST 256
#define LATER 65536
#define ROUNDS 200
#define THREADS 3

static struct bh_lock lock;
static int inside;

static void setup(void)
{
	threads_begin();
	ck_assert_int_eq(bh_lock_init(&lock, BH_LOCK_PRIVATE, NULL), 0);
}

static void teardown(void)
{
	bh_lock_destroy(&lock);
}

/* Not where the kernel or an emulator has no such barrier. */
static bool is_off(void)
{
	return !bh_barrier_is_prepared();
}

static enum bh_lock_tried try_once(void)
{
	enum bh_lock_tried tried = bh_lock_try(&lock);

	require(tried);
	bh_lock_release_tried(&lock, tried);
	return tried;
}

/* How many turns it takes until the lock is this thread's own. */
static unsigned turns_until_own(void)
{
	unsigned turns = 0;

	while (try_once() != BH_LOCK_BY_BIAS)
		require(++turns < 2 * LATER);
	return turns;
}

static void *acquire_once(void *arg)
{
	require(bh_lock_acquire(&lock) == BH_LOCK_HELD);
	require(__atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED) == 1);
	__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
	bh_lock_release(&lock);
	return arg;
}

/* Another thread uses the lock once. */
static void other_comes(void)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, acquire_once, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

static void *try_often(void *arg)
{
	for (int turn = 0; turn < 2 * LATER; turn++)
		require(try_once() == BH_LOCK_BY_SPIN);
	return arg;
}

/*
 * Another thread uses it for long: it never becomes its own, for the first one may have been
 * interrupted between its look at whose it is and its store to busy.
 */
static void other_stays(void)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, try_often, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(it_becomes_own_after_some_turns)
{
	if (is_off())
		return;
	ck_assert_uint_eq(turns_until_own(), SOON + 1);
	/* The slow path takes it as ever, and changes nothing. */
	ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
	bh_lock_release(&lock);
	ck_assert_int_eq(try_once(), BH_LOCK_BY_BIAS);
}
END_TEST

START_TEST(another_thread_ends_it)
{
	if (is_off())
		return;
	turns_until_own();
	other_stays();
	ck_assert_int_eq(try_once(), BH_LOCK_BY_SPIN);
	/* It is own again when the other thread has not come for long. */
	ck_assert_uint_eq(turns_until_own(), LATER - 1);
	other_comes();
	ck_assert_int_eq(try_once(), BH_LOCK_BY_SPIN);
}
END_TEST

/* Two threads in turn: it never is anyone's own, and nobody is interrupted. */
START_TEST(a_lock_of_two_threads)
{
	if (is_off())
		return;
	for (int round = 0; round < 10; round++) {
		for (int turn = 0; turn < SOON - 2; turn++)
			ck_assert_int_eq(try_once(), BH_LOCK_BY_SPIN);
		other_comes();
	}
	ck_assert_int_eq(lock.may_bias, BH_LOCK_BIAS_SOON);
}
END_TEST

START_TEST(one_that_must_not)
{
	bh_lock_forbid_bias(&lock);
	for (int turn = 0; turn < 2 * SOON; turn++)
		ck_assert_int_eq(try_once(), BH_LOCK_BY_SPIN);
	/* Nor when the count of turns has gone round. */
	lock.turns = lock.bias_at - 1;
	for (int turn = 0; turn < 2 * SOON; turn++)
		ck_assert_int_eq(try_once(), BH_LOCK_BY_SPIN);
}
END_TEST

/* Whoever sets one is the owner, or has ended it. */
START_TEST(a_detour_ends_it)
{
	if (is_off())
		return;
	turns_until_own();
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(bh_lock_acquire(&lock), BH_LOCK_HELD);
		bh_lock_set_detour(&lock, !round);
		bh_lock_release(&lock);
		for (int turn = 0; turn < 2 * LATER && !round; turn++)
			ck_assert_int_eq(bh_lock_try(&lock), BH_LOCK_NOT_TAKEN);
	}
	ck_assert_int_eq(try_once(), BH_LOCK_BY_SPIN);
	ck_assert_uint_le(turns_until_own(), LATER + 1);
}
END_TEST

/* The other thread does not come in before the owner is done. */
START_TEST(the_owner_is_waited_for)
{
	enum bh_lock_tried tried;
	pthread_t thread;

	if (is_off())
		return;
	turns_until_own();
	tried = bh_lock_try(&lock);
	ck_assert_int_eq(tried, BH_LOCK_BY_BIAS);
	__atomic_store_n(&inside, 1, __ATOMIC_RELAXED);
	ck_assert_int_eq(pthread_create(&thread, NULL, acquire_once, NULL), 0);
	usleep(20000);
	ck_assert_int_eq(__atomic_load_n(&inside, __ATOMIC_RELAXED), 1);
	__atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
	bh_lock_release_tried(&lock, tried);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(try_once(), BH_LOCK_BY_SPIN);
}
END_TEST

static unsigned counted[THREADS]; /* by the holder alone */
static unsigned by_bias;

static void turn_take(unsigned *count)
{
	enum bh_lock_tried tried = bh_lock_try(&lock);

	if (!tried)
		require(bh_lock_acquire(&lock) == BH_LOCK_HELD);
	require(!inside++);
	by_bias += tried == BH_LOCK_BY_BIAS;
	++*count;
	inside--;
	if (tried)
		bh_lock_release_tried(&lock, tried);
	else
		bh_lock_release(&lock);
}

/* Bursts of turns, each of which may make the lock its user's own if no other one comes. */
static void *turns_take(void *arg)
{
	for (int round = 0; round < ROUNDS; round++) {
		for (int turn = 0; turn < BURST; turn++)
			turn_take(arg);
		if (round % 8 == 0)
			usleep(50);
		require(bh_lock_acquire(&lock) == BH_LOCK_HELD);
		lock.bias_at = lock.turns + BURST / 4;
		bh_lock_release(&lock);
	}
	return NULL;
}

/* inside and by_bias are plain: were two threads in at once, ThreadSanitizer would see that, too.
 */
START_TEST(threads_exclude_each_other)
{
	pthread_t threads[THREADS];

	for (int index = 0; index < THREADS; index++)
		ck_assert_int_eq(pthread_create(&threads[index], NULL, turns_take, &counted[index]),
				 0);
	for (int index = 0; index < THREADS; index++) {
		ck_assert_int_eq(pthread_join(threads[index], NULL), 0);
		ck_assert_uint_eq(counted[index], ROUNDS * BURST);
	}
	ck_assert(by_bias || is_off());
}
END_TEST

/* ---- taken back between the owner's look and its store ---- */

static struct bh_lock *apart; /* on a page of its own */

/* What the owner stores to busy ends here, and is repeated; meanwhile another thread came. */
static void take_back(int number)
{
	(void)number;
	if (mprotect(apart, sizeof(*apart), PROT_READ | PROT_WRITE))
		_exit(1);
	__atomic_store_n(&apart->user, 0, __ATOMIC_RELAXED);
}

static void apart_make(void)
{
	apart = mmap(NULL, sizeof(*apart), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	ck_assert(apart != MAP_FAILED);
	ck_assert_int_eq(bh_lock_init(apart, BH_LOCK_PRIVATE, NULL), 0);
	apart->user = bh_lock_self() + BH_LOCK_BIASED;
	apart->may_bias = BH_LOCK_BIAS_AGAIN;
}

START_TEST(it_is_taken_back_before_the_owner_is_busy)
{
	struct sigaction action = {.sa_handler = take_back}, before;
	enum bh_lock_tried tried;

	if (is_off())
		return;
	apart_make();
	ck_assert_int_eq(bh_lock_try(apart), BH_LOCK_BY_BIAS);
	bh_lock_release_tried(apart, BH_LOCK_BY_BIAS);
	ck_assert_int_eq(sigaction(SIGSEGV, &action, &before), 0);
	ck_assert_int_eq(mprotect(apart, sizeof(*apart), PROT_READ), 0);
	tried = bh_lock_try(apart);
	ck_assert_int_eq(sigaction(SIGSEGV, &before, NULL), 0);
	ck_assert_int_eq(tried, BH_LOCK_BY_SPIN);
	ck_assert(!apart->busy);
	bh_lock_release_tried(apart, tried);
	bh_lock_destroy(apart);
	munmap(apart, sizeof(*apart));
}
END_TEST

/* ---- the same at any step ---- */

static uintptr_t owner;
static bool is_over;
static unsigned taken;

static void *own_take(void *arg)
{
	bool two = false;

	__atomic_store_n(&owner, bh_lock_self(), __ATOMIC_RELEASE);
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		if (!bh_lock_try_bias(&lock))
			continue;
		two |= __atomic_exchange_n(&inside, 1, __ATOMIC_RELAXED) != 0;
		__atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&taken, taken + 1, __ATOMIC_RELAXED);
		bh_lock_release_tried(&lock, BH_LOCK_BY_BIAS);
	}
	return two ? "two at once" : arg;
}

/*
 * It is given to a thread that takes it without a pause, and taken back, again and again: without
 * the barrier both are in at once.
 */
START_TEST(it_is_taken_back_at_any_step)
{
	int rounds = is_watched() || is_emulated() ? 200 : 100000;
	uint64_t seed = 1;
	pthread_t thread;
	void *result;

	if (is_off())
		return;
	ck_assert_int_eq(pthread_create(&thread, NULL, own_take, NULL), 0);
	while (!__atomic_load_n(&owner, __ATOMIC_ACQUIRE))
		usleep(100);
	for (; rounds > 0 || !__atomic_load_n(&taken, __ATOMIC_RELAXED); rounds--) {
		require(bh_lock_acquire(&lock) == BH_LOCK_HELD);
		if (__atomic_exchange_n(&inside, 1, __ATOMIC_RELAXED))
			ck_abort_msg("two at once");
		pause_for(500); /* for one that comes late */
		__atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&lock.user, owner + BH_LOCK_BIASED, __ATOMIC_RELAXED);
		bh_lock_release(&lock);
		/* Until the thread is at work, and at any moment of it. */
		pause_for(random_below(&seed, 1000));
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_msg(!result, "%s", (char *)result);
}
END_TEST

/* ---- fork ---- */

static enum bh_lock_result acquired_in_child(void)
{
	enum bh_lock_result result = bh_lock_acquire(&lock);

	require(result != BH_LOCK_REFUSED);
	if (result == BH_LOCK_TORN)
		bh_lock_recovered(&lock);
	bh_lock_release(&lock);
	require(turns_until_own() <= SOON + 1);
	return result;
}

static int child_is(void *expected)
{
	leaks_ignore();
	threads_begin();
	return acquired_in_child() == *(enum bh_lock_result *)expected ? 0 : 1;
}

static void child_is_right(enum bh_lock_result *expected)
{
	struct child child;

	child_run(&child, child_is, expected);
	child_assert_exited(&child, 0);
}

static void *fork_and_tell(void *expected)
{
	child_is_right(expected);
	return NULL;
}

static void other_forks(enum bh_lock_result expected)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, fork_and_tell, &expected), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

START_TEST(a_child_of_the_owner)
{
	enum bh_lock_result expected = BH_LOCK_HELD;

	if (is_off())
		return;
	turns_until_own();
	child_is_right(&expected);
	ck_assert_int_eq(try_once(), BH_LOCK_BY_BIAS);
}
END_TEST

/* The owner is inside, or is not, while another thread forks. */
START_TEST(a_child_of_another_thread)
{
	enum bh_lock_tried tried;

	if (is_off() || is_thread_sanitized())
		return;
	turns_until_own();
	other_forks(BH_LOCK_HELD);
	ck_assert_int_eq(try_once(), BH_LOCK_BY_BIAS);
	tried = bh_lock_try(&lock);
	other_forks(BH_LOCK_TORN);
	bh_lock_release_tried(&lock, tried);
	ck_assert_int_eq(try_once(), BH_LOCK_BY_BIAS);
}
END_TEST

/* ---- a kernel that refuses ---- */

/* A sandbox takes the system call away after the lock became own. */
static int refused_here(void *arg)
{
	leaks_ignore();
	threads_begin();
	acquire_once(arg);
	turns_until_own();
	if (!system_call_refuse(SYS_membarrier, ENOSYS))
		return 0;
	other_comes();
	return try_once() == BH_LOCK_BY_SPIN ? 0 : 1;
}

START_TEST(the_kernel_refuses)
{
	struct child child;

	if (is_off() || is_emulated())
		return;
	child_run(&child, refused_here, NULL);
	child_assert_exited(&child, 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("bias", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, it_becomes_own_after_some_turns);
	tcase_add_test(tcase, another_thread_ends_it);
	tcase_add_test(tcase, a_lock_of_two_threads);
	tcase_add_test(tcase, one_that_must_not);
	tcase_add_test(tcase, a_detour_ends_it);
	tcase_add_test(tcase, the_owner_is_waited_for);
	tcase_add_test(tcase, threads_exclude_each_other);
	tcase_add_test(tcase, it_is_taken_back_before_the_owner_is_busy);
	tcase_add_test(tcase, it_is_taken_back_at_any_step);
	tcase_add_test(tcase, a_child_of_the_owner);
	tcase_add_test(tcase, a_child_of_another_thread);
	tcase_add_test(tcase, the_kernel_refuses);
	return suite_run(suite);
}
