/* SPDX-License-Identifier: MIT */
/*
 * lock.h - who may work on a heap: nobody else in this process (a private mutex), or in any
 * process (a robust mutex in the region). Tells when the last holder vanished inside an operation.
 * A process known to have one thread takes no private lock. Refuses to know blocks.
 */
#ifndef BH_LOCK_H
#define BH_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/single_threaded.h>

#include "granule.h"

enum bh_lock_kind {
	BH_LOCK_NONE,
	BH_LOCK_PRIVATE,
	BH_LOCK_SHARED,
};

enum bh_lock_result {
	BH_LOCK_SKIPPED, /* none was needed: nothing to release */
	BH_LOCK_HELD,
	BH_LOCK_TORN,    /* held, but the last holder vanished: repair, then bh_lock_repaired() */
	BH_LOCK_REFUSED, /* errno says why; not held */
};

struct bh_lock {
	pthread_mutex_t *shared; /* in the region; else NULL */
	pthread_mutex_t own;
	enum bh_lock_kind kind;
	unsigned generation; /* of the process that last prepared own: a fork makes it stale */
	bool held;
	bool torn;                /* held by another thread when the process forked */
	unsigned walk_generation; /* of the process that the walker began in */
	pthread_t walker;         /* the thread inside a visitor, or 0 */
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

void bh_lock_repaired(struct bh_lock *lock);
void bh_lock_release(struct bh_lock *lock);

/* Whether a private lock may be skipped now: one thread, and not the leftovers of a fork. */
static inline bool bh_lock_is_needless(const struct bh_lock *lock)
{
	return __libc_single_threaded && lock->generation == bh_lock_generation;
}

#endif
