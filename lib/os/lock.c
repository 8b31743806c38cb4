/* SPDX-License-Identifier: MIT */
/*
 * lock.c - the private lock and the process-shared mutex, and what a fork or a death does to them.
 * A fork may copy a heap while another thread is inside it: the child finds its lock stale, makes
 * a new one, and treats the copy as torn, as if that thread had been killed. So heaps need no list.
 */
#include "os/lock.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "os/barrier.h"
#include "os/wait.h"

/* doc/decisions.md, "Threads: when a thread naps" and after it. */
#define TRIES 16            /* in a row: one falls between two turns of the holder */
#define PAUSES_FIRST 64     /* of the processor: how long a holder is looked at first */
#define PAUSES_LAST 512     /* a holder that takes longer was perhaps interrupted */
#define PAUSES_OF_A_TURN 32 /* a thread back sooner is in a run of turns */
#define NAP_FIRST 100000    /* nanoseconds */
#define NAP_LAST 1000000
/*
 * Turns of one thread in a row after which a lock becomes its own for the first time: more than one
 * takes that fills a heap for another, and more than there are in most runs.
 */
#define BIAS_TURNS_FIRST 4096
/* A thread works on what is its own for less than a microsecond, unless it is interrupted. */
#define PAUSES_OF_WORK 256
#define NAP_OF_WORK 20000
#define BEING_MADE (1u << 31) /* with a generation: a thread reinitialises the lock */

__thread uint16_t bh_lock_thread __attribute__((tls_model("initial-exec")));

static int own_init(struct bh_lock *lock)
{
	lock->queue = 0;
	lock->busy = false;
	return pthread_spin_init(&lock->own, PTHREAD_PROCESS_PRIVATE);
}

int bh_lock_init_shared(pthread_mutex_t *shared)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (error)
		return error;
	error = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (!error)
		error = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	/*
	 * A holder that locks again, by another handle or in a signal handler, is refused instead
	 * of hanging.
	 */
	if (!error)
		error = pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	if (!error)
		error = pthread_mutex_init(shared, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return error;
}

int bh_lock_init(struct bh_lock *lock, enum bh_lock_kind kind, pthread_mutex_t *shared)
{
	int error = 0;

	BH_ASSERT(kind != BH_LOCK_SHARED || shared);
	*lock = (struct bh_lock){.kind = kind, .shared = shared};
	if (kind == BH_LOCK_PRIVATE && bh_barrier_is_prepared())
		lock->may_bias = BH_LOCK_BIAS_SOON;
	if (kind != BH_LOCK_NONE) {
		error = bh_fork_error ? bh_fork_error : own_init(lock);
		lock->generation = bh_fork_generation_begin();
	}
	if (error)
		errno = error;
	return error ? -1 : 0;
}

void bh_lock_forbid_bias(struct bh_lock *lock)
{
	BH_ASSERT(!lock->turns);
	lock->may_bias = BH_LOCK_BIAS_NEVER;
}

void bh_lock_destroy(struct bh_lock *lock)
{
	if (lock->kind != BH_LOCK_NONE && lock->generation == bh_fork_generation())
		pthread_spin_destroy(&lock->own);
}

/* In the child of a fork: another thread of the parent was inside. */
static bool own_is_torn(struct bh_lock *lock)
{
	if (pthread_spin_trylock(&lock->own))
		return true;
	pthread_spin_unlock(&lock->own);
	return lock->busy;
}

static void own_make_anew(struct bh_lock *lock)
{
	if (own_is_torn(lock))
		lock->torn = lock->detour = true;
	/* None of the threads that may have had it as their own is there, or is in a call. */
	if (lock->kind == BH_LOCK_PRIVATE) {
		lock->user = 0;
		if (lock->may_bias == BH_LOCK_BIAS_AGAIN)
			lock->may_bias = BH_LOCK_BIAS_SOON;
	}
	own_init(lock);
}

/* In the child of a fork the first thread to come reinitialises the lock. */
static void own_reinitialise(struct bh_lock *lock)
{
	unsigned generation = bh_fork_generation_begin();
	unsigned seen = __atomic_load_n(&lock->generation, __ATOMIC_ACQUIRE);

	if (seen != generation && seen != (generation | BEING_MADE) &&
	    __atomic_compare_exchange_n(&lock->generation, &seen, generation | BEING_MADE, false,
					__ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		own_make_anew(lock);
		__atomic_store_n(&lock->generation, generation, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(&lock->generation, __ATOMIC_ACQUIRE) != generation)
		bh_wait_nap(NAP_OF_WORK);
}

static enum bh_lock_result lock_refused(int error)
{
	errno = error;
	return BH_LOCK_REFUSED;
}

static enum bh_lock_result shared_result(int error)
{
	if (error == EOWNERDEAD)
		return BH_LOCK_TORN;
	/* Released as torn, or not a mutex any more: the heap was written over. */
	if (error == ENOTRECOVERABLE || error == EINVAL)
		error = EUCLEAN;
	return error ? lock_refused(error) : BH_LOCK_HELD;
}

static enum bh_lock_result shared_acquire(struct bh_lock *lock)
{
	return shared_result(pthread_mutex_lock(lock->shared));
}

enum bh_lock_result bh_lock_try_shared(struct bh_lock *lock)
{
	BH_ASSERT(lock->kind == BH_LOCK_SHARED);
	return shared_result(pthread_mutex_trylock(lock->shared));
}

/*
 * After a fork during a walk the walker is the thread that forked, now the first one; else it does
 * not exist, and a new thread may have its identity.
 */
bool bh_lock_is_walking(const struct bh_lock *lock)
{
	if (BH_LIKELY(__atomic_load_n(&lock->walker, __ATOMIC_RELAXED) != pthread_self()))
		return false;
	return __atomic_load_n(&lock->walk_generation, __ATOMIC_RELAXED) == bh_fork_generation() ||
	       gettid() == getpid();
}

bool bh_lock_forget_walk(struct bh_lock *lock)
{
	if (BH_LIKELY(!__atomic_load_n(&lock->walker, __ATOMIC_RELAXED)) ||
	    __atomic_load_n(&lock->walk_generation, __ATOMIC_RELAXED) == bh_fork_generation() ||
	    bh_lock_is_walking(lock))
		return false;
	__atomic_store_n(&lock->walker, 0, __ATOMIC_RELAXED);
	return true;
}

/* ---- waiting ---- */

/*
 * The heap's cache lines are with the holder's processor, and to move them costs as much as many
 * calls. So a thread that comes while another takes turn after turn sleeps for a nap and then takes
 * its own run of turns. Where turns are rare no thread naps, since a turn is short.
 */

#if defined(__x86_64__) || defined(__i386__)
static inline void processor_pause(void)
{
	__builtin_ia32_pause();
}
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
static inline void processor_pause(void)
{
	/* The yield instruction would not pause at all. */
	__asm__ volatile("isb" ::: "memory");
}
#else
static inline void processor_pause(void)
{
	__asm__ volatile("" ::: "memory");
}
#endif

static inline void pause_for(unsigned pauses)
{
	while (pauses--)
		processor_pause();
}

static bool own_try(struct bh_lock *lock)
{
	for (unsigned tries = TRIES; tries; tries--)
		if (!pthread_spin_trylock(&lock->own))
			return true;
	return false;
}

static unsigned own_turns(const struct bh_lock *lock)
{
	return __atomic_load_n(&lock->turns, __ATOMIC_RELAXED);
}

/* Spins for the lock; false when another thread takes turn after turn, or is in a long one. */
static bool own_spin(struct bh_lock *lock)
{
	unsigned first = own_turns(lock), pauses = PAUSES_FIRST;

	for (unsigned all = pauses; pauses <= PAUSES_LAST; all += pauses) {
		pause_for(pauses);
		if ((own_turns(lock) - first) * PAUSES_OF_A_TURN > all)
			return false;
		if (own_try(lock))
			return true;
		pauses *= 2;
	}
	return false;
}

/* Naps grow while the holder stays in one turn, which may be a walk. */
static void own_wait(struct bh_lock *lock)
{
	unsigned turns = own_turns(lock);
	long time = NAP_FIRST;
	bool queued = bh_wait_in_queue(&lock->queue);

	while (bh_wait_nap(time), !own_try(lock)) {
		time = own_turns(lock) != turns ? NAP_FIRST : 2 * time;
		time = time < NAP_LAST ? time : NAP_LAST;
		turns = own_turns(lock);
	}
	if (queued)
		bh_wait_leave_queue(&lock->queue);
}

/* ---- a lock that is one thread's own ---- */

/* For the holder of own: its user sees it, or is waited for. */
static void bias_revoke(struct bh_lock *lock)
{
	__atomic_store_n(&lock->user, lock->user & ~(uintptr_t)BH_LOCK_BIASED, __ATOMIC_SEQ_CST);
	bh_barrier_wait();
	for (unsigned pauses = PAUSES_OF_WORK; pauses; pauses--) {
		if (!__atomic_load_n(&lock->busy, __ATOMIC_ACQUIRE))
			return;
		processor_pause();
	}
	while (__atomic_load_n(&lock->busy, __ATOMIC_ACQUIRE))
		bh_wait_nap(NAP_OF_WORK);
}

void bh_lock_bias(struct bh_lock *lock)
{
	lock->bias_at = lock->turns + BH_LOCK_BIAS_TURNS;
	if (lock->detour)
		return;
	lock->may_bias = BH_LOCK_BIAS_AGAIN;
	__atomic_store_n(&lock->user, bh_lock_self() + BH_LOCK_BIASED, __ATOMIC_RELAXED);
}

void bh_lock_change_user(struct bh_lock *lock)
{
	uintptr_t self = bh_lock_self(), user = lock->user;

	if (user == self + BH_LOCK_BIASED)
		return;
	lock->bias_at = lock->turns + BH_LOCK_BIAS_TURNS;
	if (user & BH_LOCK_BIASED) {
		bias_revoke(lock);
		return;
	}
	BH_ASSERT(lock->may_bias == BH_LOCK_BIAS_SOON);
	lock->bias_at = lock->turns + BIAS_TURNS_FIRST;
	__atomic_store_n(&lock->user, self, __ATOMIC_RELAXED);
}

static enum bh_lock_result own_acquire(struct bh_lock *lock)
{
	if (pthread_spin_trylock(&lock->own) && !own_spin(lock))
		own_wait(lock);
	bh_lock_turn(lock);
	return lock->torn ? BH_LOCK_TORN : BH_LOCK_HELD;
}

static void own_reinitialise_after_fork(struct bh_lock *lock)
{
	if (__atomic_load_n(&lock->generation, __ATOMIC_ACQUIRE) != bh_fork_generation())
		own_reinitialise(lock);
}

enum bh_lock_result bh_lock_hold(struct bh_lock *lock)
{
	if (bh_lock_is_walking(lock))
		return lock_refused(EDEADLK);
	switch (lock->kind) {
	case BH_LOCK_NONE: return BH_LOCK_SKIPPED;
	case BH_LOCK_SHARED: own_reinitialise_after_fork(lock); return shared_acquire(lock);
	default: own_reinitialise_after_fork(lock); return own_acquire(lock);
	}
}

enum bh_lock_result bh_lock_acquire(struct bh_lock *lock)
{
	if (lock->kind == BH_LOCK_PRIVATE && !bh_lock_is_walking(lock)) {
		own_reinitialise_after_fork(lock);
		if (__libc_single_threaded && !lock->torn)
			return BH_LOCK_SKIPPED;
	}
	return bh_lock_hold(lock);
}

/* How long a holder may take: longer than any call but those on a huge heap. */
#define SOON 5 /* seconds */

static enum bh_lock_result shared_acquire_soon(struct bh_lock *lock)
{
	struct timespec until;
	int error = pthread_mutex_trylock(lock->shared);

	if (error != EBUSY)
		return shared_result(error);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SOON;
	error = pthread_mutex_timedlock(lock->shared, &until);
	return shared_result(error == ETIMEDOUT ? EBUSY : error);
}

enum bh_lock_result bh_lock_acquire_soon(struct bh_lock *lock)
{
	if (lock->kind != BH_LOCK_SHARED)
		return bh_lock_acquire(lock);
	if (bh_lock_is_walking(lock))
		return lock_refused(EDEADLK);
	own_reinitialise_after_fork(lock);
	return shared_acquire_soon(lock);
}

void bh_lock_note_shared(struct bh_lock *lock)
{
	lock->shared_kind = lock->shared->__data.__kind;
}

/* Of another kind the C library may wait for ever, or abort. */
bool bh_lock_is_sound(const struct bh_lock *lock)
{
	return lock->kind != BH_LOCK_SHARED || lock->shared->__data.__kind == lock->shared_kind;
}

void bh_lock_walk(struct bh_lock *lock, bool walking)
{
	BH_ASSERT(walking != bh_lock_is_walking(lock));
	__atomic_store_n(&lock->walk_generation, bh_fork_generation_begin(), __ATOMIC_RELAXED);
	__atomic_store_n(&lock->walker, walking ? pthread_self() : 0, __ATOMIC_RELAXED);
}

void bh_lock_recovered(struct bh_lock *lock)
{
	BH_ASSERT(lock->kind != BH_LOCK_NONE);
	if (lock->kind == BH_LOCK_SHARED)
		pthread_mutex_consistent(lock->shared);
	lock->torn = lock->detour = false;
}

void bh_lock_set_detour(struct bh_lock *lock, bool detour)
{
	BH_ASSERT(lock->kind != BH_LOCK_SHARED && !lock->torn);
	lock->detour = detour;
	/* Of no other thread: this one holds it. */
	__atomic_store_n(&lock->user, lock->user & ~(uintptr_t)BH_LOCK_BIASED, __ATOMIC_RELAXED);
}

void bh_lock_release(struct bh_lock *lock)
{
	BH_ASSERT(lock->kind != BH_LOCK_NONE);
	if (lock->kind == BH_LOCK_SHARED)
		pthread_mutex_unlock(lock->shared);
	else
		pthread_spin_unlock(&lock->own);
}
