/* SPDX-License-Identifier: MIT */
/*
 * lock.h - mutual exclusion on a heap: among the threads of this process (a private spin lock), or
 * among processes (a robust mutex in the region). Tells when the last holder died inside an
 * operation. A process known to have one thread takes no private lock, and a thread that alone uses
 * one takes it without an atomic operation. Refuses to know blocks.
 */
#ifndef BH_LOCK_H
#define BH_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/single_threaded.h>

#include "core/granule.h"
#include "os/fork.h"

/* The largest mutex of a machine that the GNU C library knows, and what is kept for one. */
#define BH_MUTEX_MAX 48
_Static_assert(sizeof(pthread_mutex_t) <= BH_MUTEX_MAX, "layouts have room for a mutex");

enum bh_lock_kind {
	BH_LOCK_NONE,
	BH_LOCK_PRIVATE,
	BH_LOCK_SHARED,
};

enum bh_lock_result {
	BH_LOCK_SKIPPED, /* none was needed: nothing to release */
	BH_LOCK_HELD,
	BH_LOCK_TORN,    /* held, but the last holder died: recover, then bh_lock_recovered() */
	BH_LOCK_REFUSED, /* errno says why; not held */
};

/*
 * What bh_lock_try() took. By bias: the lock is the thread's own, until another one comes.
 */
enum bh_lock_tried {
	BH_LOCK_NOT_TAKEN,
	BH_LOCK_BY_BIAS,
	BH_LOCK_BY_SPIN,
};

struct bh_lock {
	union {
		pthread_mutex_t *shared; /* in the region */
		uintptr_t user; /* of a private lock: whose own it is or may become, or 0 */
	};
	pthread_t walker; /* the thread inside a walk callback, or 0 */
	enum bh_lock_kind kind;
	unsigned generation; /* of the process that last initialised own: a fork makes it stale */
	uint32_t queue;      /* of the threads that wait for own: wait.h */
	unsigned walk_generation; /* of the process that the walker began in */
	/* Stored to by every call: last, next to the control block of a private heap. */
	pthread_spinlock_t own;
	unsigned turns;   /* how often own was taken */
	bool torn;        /* held by another thread when the process forked */
	bool detour;      /* bh_lock_try() fails: torn, or set */
	bool busy;        /* atomic: the thread whose own it is is at work */
	uint8_t may_bias; /* enum bh_lock_may_bias */
	union {
		int shared_kind; /* what the C library noted in shared when this process attached */
		unsigned bias_at; /* of a private lock: turns when it becomes its user's own */
	};
};

enum bh_lock_may_bias {
	BH_LOCK_BIAS_NEVER,
	BH_LOCK_BIAS_SOON,  /* of the first thread that uses it often in a row */
	BH_LOCK_BIAS_AGAIN, /* it was its user's own, and becomes no other one's */
};

/* Its address tells one thread from another. */
extern __thread uint16_t bh_lock_thread __attribute__((tls_model("initial-exec")));
#define BH_LOCK_BIASED 1 /* in bh_lock.user */

/* shared: the mutex, for a kind that needs one. 0, or -1 with errno. */
int bh_lock_init(struct bh_lock *lock, enum bh_lock_kind kind, pthread_mutex_t *shared);
void bh_lock_destroy(struct bh_lock *lock);

/* Before it is used: it never becomes a thread's own, since another one would wait for the system.
 */
void bh_lock_forbid_bias(struct bh_lock *lock);

/* Makes the mutex of a shared region; no process may be attached. */
int bh_lock_init_shared(pthread_mutex_t *shared);

enum bh_lock_result bh_lock_acquire(struct bh_lock *lock);

/* Takes the lock even in a process with one thread, unless the kind is none. */
enum bh_lock_result bh_lock_hold(struct bh_lock *lock);

/*
 * As bh_lock_acquire(), but for a shared heap's lock that is not to be had in a few seconds:
 * BH_LOCK_REFUSED with EBUSY.
 */
enum bh_lock_result bh_lock_acquire_soon(struct bh_lock *lock);

/* For a process that attached: the mutex is ready, and is known again by bh_lock_is_sound(). */
void bh_lock_note_shared(struct bh_lock *lock);

/* False if the lock of a shared heap was written over, as far as that can be seen. */
bool bh_lock_is_sound(const struct bh_lock *lock);

/* Acquires the lock of a shared heap if that needs no wait; else BH_LOCK_REFUSED with EBUSY. */
enum bh_lock_result bh_lock_try_shared(struct bh_lock *lock);

/* True if this thread is inside a walk callback of the lock's heap. */
bool bh_lock_is_walking(const struct bh_lock *lock);

/*
 * True, once, in the child of a fork: another thread of the parent was inside a walk callback,
 * which ends here.
 */
bool bh_lock_forget_walk(struct bh_lock *lock);

/* The holder enters or leaves a walk callback, in which its own calls are refused with EDEADLK. */
void bh_lock_walk(struct bh_lock *lock, bool walking);

/*
 * For the holder of a private lock: from now on bh_lock_try() fails, also of threads that were
 * about to call it; or no longer. A recovery ends it: its process has no such threads.
 */
void bh_lock_set_detour(struct bh_lock *lock, bool detour);

/* For the holder. */
void bh_lock_recovered(struct bh_lock *lock);
void bh_lock_release(struct bh_lock *lock);

/*
 * True if a private lock may be skipped now: one thread, and no fork since the lock was
 * initialised.
 */
static inline bool bh_lock_may_skip(const struct bh_lock *lock)
{
	BH_ASSERT(lock->kind == BH_LOCK_PRIVATE);
	return __libc_single_threaded && lock->generation == bh_fork_generation();
}

/* ---- a lock that is one thread's own ---- */

static inline uintptr_t bh_lock_self(void)
{
	return (uintptr_t)&bh_lock_thread;
}

/* Turns without another thread after which a lock becomes own again: more than a run has. */
#define BH_LOCK_BIAS_TURNS 65536

/* For the holder of own: it becomes this thread's own, if that is allowed. */
void bh_lock_bias(struct bh_lock *lock);

/* For the holder of own: it is another thread's own, and is not when this returns; or nobody's yet.
 */
void bh_lock_change_user(struct bh_lock *lock);

/* For the holder of own: counts a turn, since waiting threads see how often it is taken. */
static inline void bh_lock_turn(struct bh_lock *lock)
{
	uintptr_t user = __atomic_load_n(&lock->user, __ATOMIC_RELAXED);
	unsigned turns = lock->turns + 1;

	__atomic_store_n(&lock->turns, turns, __ATOMIC_RELAXED);
	if (user == bh_lock_self()) {
		if (BH_UNLIKELY(turns == lock->bias_at))
			bh_lock_bias(lock);
	} else if (BH_UNLIKELY(user & BH_LOCK_BIASED) ||
		   BH_UNLIKELY(lock->may_bias == BH_LOCK_BIAS_SOON)) {
		bh_lock_change_user(lock);
	} else {
		lock->bias_at = turns + BH_LOCK_BIAS_TURNS;
	}
}

/*
 * Takes what is this thread's own, which it is not while a detour is set. The handshake is that of
 * the caches: busy here is cache->busy, user is caches->state. A thread may be interrupted before
 * it stores to busy, and do so when the lock is long not its own any more: so busy is one thread's.
 */
static inline bool bh_lock_try_bias(struct bh_lock *lock)
{
	uintptr_t self = bh_lock_self() + BH_LOCK_BIASED;

	if (__atomic_load_n(&lock->user, __ATOMIC_RELAXED) != self)
		return false;
	__atomic_store_n(&lock->busy, true, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (BH_LIKELY(__atomic_load_n(&lock->user, __ATOMIC_ACQUIRE) == self))
		return true;
	__atomic_store_n(&lock->busy, false, __ATOMIC_RELEASE);
	return false;
}

/* Takes own if it is free and no detour is set. */
static inline bool bh_lock_try_spin(struct bh_lock *lock)
{
	if (BH_UNLIKELY(pthread_spin_trylock(&lock->own)))
		return false;
	bh_lock_turn(lock);
	if (BH_LIKELY(!lock->detour))
		return true;
	pthread_spin_unlock(&lock->own);
	return false;
}

/* Takes a private lock if it is free, nothing is to be recovered and no detour is set. */
static inline enum bh_lock_tried bh_lock_try(struct bh_lock *lock)
{
	BH_ASSERT(lock->kind == BH_LOCK_PRIVATE);
	if (BH_UNLIKELY(__atomic_load_n(&lock->generation, __ATOMIC_ACQUIRE) !=
			bh_fork_generation()))
		return BH_LOCK_NOT_TAKEN;
	if (bh_lock_try_bias(lock))
		return BH_LOCK_BY_BIAS;
	return bh_lock_try_spin(lock) ? BH_LOCK_BY_SPIN : BH_LOCK_NOT_TAKEN;
}

/* Releases what bh_lock_try() took. */
static inline void bh_lock_release_tried(struct bh_lock *lock, enum bh_lock_tried tried)
{
	BH_ASSERT(tried != BH_LOCK_NOT_TAKEN);
	if (tried == BH_LOCK_BY_BIAS)
		__atomic_store_n(&lock->busy, false, __ATOMIC_RELEASE);
	else
		pthread_spin_unlock(&lock->own);
}

#endif
