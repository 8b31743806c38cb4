/* SPDX-License-Identifier: MIT */
/*
 * lock.h - who may work on a heap: nobody else in this process (a private lock), or in any
 * process (a robust mutex in the region). Tells when the last holder vanished inside an operation.
 * A process known to have one thread takes no private lock. Refuses to know blocks.
 */
#ifndef BH_LOCK_H
#define BH_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/single_threaded.h>

#include "core/granule.h"

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
	BH_LOCK_TORN,    /* held, but the last holder vanished: repair, then bh_lock_recovered() */
	BH_LOCK_REFUSED, /* errno says why; not held */
};

struct bh_lock {
	pthread_mutex_t *shared; /* in the region; else NULL */
	pthread_t walker;        /* the thread inside a visitor, or 0 */
	enum bh_lock_kind kind;
	unsigned generation;      /* of the process that last prepared own: a fork makes it stale */
	pthread_mutex_t queue;    /* held by whoever waits for own: the others sleep here */
	unsigned walk_generation; /* of the process that the walker began in */
	/* What every call stores to: last, beside the control of a private heap. */
	pthread_spinlock_t own;
	unsigned turns; /* how often own was taken */
	bool torn;      /* held by another thread when the process forked */
};

/* Forks between the first process and this one. */
extern unsigned bh_lock_generation;

int bh_lock_init(struct bh_lock *lock, enum bh_lock_kind kind, pthread_mutex_t *shared);
void bh_lock_destroy(struct bh_lock *lock);

/* Makes the mutex of a shared region; no process may be attached. */
int bh_lock_init_shared(pthread_mutex_t *shared);

enum bh_lock_result bh_lock_acquire(struct bh_lock *lock);

/* The same, really held even by a process with one thread (unless the kind is none). */
enum bh_lock_result bh_lock_hold(struct bh_lock *lock);

/* Whether this thread is inside a visitor of the lock's heap. */
bool bh_lock_is_walking(const struct bh_lock *lock);

/* The holder is, or is no longer, inside a visitor: its own calls are refused with EDEADLK. */
void bh_lock_walk(struct bh_lock *lock, bool walking);

void bh_lock_recovered(struct bh_lock *lock);
void bh_lock_release(struct bh_lock *lock);

/* Whether a private lock may be skipped now: one thread, and not the leftovers of a fork. */
static inline bool bh_lock_may_skip(const struct bh_lock *lock)
{
	return __libc_single_threaded && lock->generation == bh_lock_generation;
}

/* The holder of a private lock begins: whoever waits sees by it how often the lock is taken. */
static inline void bh_lock_turn(struct bh_lock *lock)
{
	__atomic_store_n(&lock->turns, lock->turns + 1, __ATOMIC_RELAXED);
}

/* Takes a private lock that is free, with nothing to repair: false where it is not so simple. */
static inline bool bh_lock_try(struct bh_lock *lock)
{
	if (BH_UNLIKELY(__atomic_load_n(&lock->generation, __ATOMIC_ACQUIRE) !=
			bh_lock_generation) ||
	    BH_UNLIKELY(pthread_spin_trylock(&lock->own)))
		return false;
	bh_lock_turn(lock);
	if (BH_LIKELY(!lock->torn))
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
