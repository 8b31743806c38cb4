/* SPDX-License-Identifier: MIT */
/*
 * enter.h - every call but the shortest locks, recovers after a death, works, unlocks, reports: its
 * entry and exit. Refuses to know the work.
 */
#ifndef BH_ENTER_H
#define BH_ENTER_H

#include "handle/call.h"

/* Locks and repairs. False with errno EINVAL (no heap), EDEADLK, or of the lock. */
bool bh_enter(struct bh_call *call, const bheap_t *heap);

/* The same for who changes the heap; false with errno EROFS too. */
bool bh_enter_to_change(struct bh_call *call, bheap_t *heap);

/* The same for who calls a visitor meanwhile: calls from it on this heap are refused. */
bool bh_enter_to_walk(struct bh_call *call, const bheap_t *heap);

/* Unlocks, then makes the reports. errno is kept. */
void bh_leave(struct bh_call *call);
void bh_leave_walk(struct bh_call *call);

static inline bool bh_may_skip_lock(const bheap_t *heap)
{
	unsigned skip_lock = __atomic_load_n(&heap->skip_lock, __ATOMIC_RELAXED);

	return skip_lock == BH_SKIP_LOCK_ALWAYS ||
	       (skip_lock == BH_SKIP_LOCK_ONE_THREAD && bh_lock_may_skip(&heap->lock));
}

/*
 * Whether the caller has a heap for itself now that needs no more of the door than its lock. What
 * it cannot finish it leaves undone, bh_leave_trylock(), and goes through the door.
 */
static inline bool bh_enter_trylock(bheap_t *heap)
{
	return __atomic_load_n(&heap->skip_lock, __ATOMIC_RELAXED) == BH_SKIP_LOCK_ONE_THREAD &&
	       bh_lock_try(&heap->lock);
}

static inline void bh_leave_trylock(bheap_t *heap)
{
	bh_lock_release_tried(&heap->lock);
}

#endif
