/* SPDX-License-Identifier: MIT */
/*
 * lock.h - mutual exclusion on a heap: among the threads of this process (a private spin lock), or
 * among processes (a robust mutex in the region). Tells when the last holder died inside an
 * operation. A process known to have one thread takes no private lock. Refuses to know blocks.
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

struct bh_lock {
	pthread_mutex_t *shared; /* in the region; else NULL */
	pthread_t walker;        /* the thread inside a walk callback, or 0 */
	enum bh_lock_kind kind;
	unsigned generation; /* of the process that last initialised own: a fork makes it stale */
	uint32_t queue;      /* of the threads that wait for own: wait.h */
	unsigned walk_generation; /* of the process that the walker began in */
	/* Stored to by every call: last, next to the control block of a private heap. */
	pthread_spinlock_t own;
	unsigned turns;  /* how often own was taken */
	bool torn;       /* held by another thread when the process forked */
	bool detour;     /* bh_lock_try() fails: torn, or set */
	int shared_kind; /* what the C library noted in shared when this process attached */
};

/* shared: the mutex, for a kind that needs one. 0, or -1 with errno. */
int bh_lock_init(struct bh_lock *lock, enum bh_lock_kind kind, pthread_mutex_t *shared);
void bh_lock_destroy(struct bh_lock *lock);

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

/* Counts a turn of the private lock: waiting threads see how often it is taken. */
static inline void bh_lock_turn(struct bh_lock *lock)
{
	__atomic_store_n(&lock->turns, lock->turns + 1, __ATOMIC_RELAXED);
}

/* Takes a private lock if it is free, nothing is to be recovered and no detour is set. */
static inline bool bh_lock_try(struct bh_lock *lock)
{
	BH_ASSERT(lock->kind == BH_LOCK_PRIVATE);
	if (BH_UNLIKELY(__atomic_load_n(&lock->generation, __ATOMIC_ACQUIRE) !=
			bh_fork_generation()) ||
	    BH_UNLIKELY(pthread_spin_trylock(&lock->own)))
		return false;
	bh_lock_turn(lock);
	if (BH_LIKELY(!lock->detour))
		return true;
	pthread_spin_unlock(&lock->own);
	return false;
}

/* Releases what bh_lock_try() took. */
static inline void bh_lock_release_tried(struct bh_lock *lock)
{
	pthread_spin_unlock(&lock->own);
}

#endif
