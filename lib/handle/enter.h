/* SPDX-License-Identifier: MIT */
/*
 * enter.h - entry and exit of a call's critical section: lock, recover after a death, and after the
 * work unlock and report. Fast paths skip it. Refuses to know the work.
 */
#ifndef BH_ENTER_H
#define BH_ENTER_H

#include "handle/call.h"

/*
 * Locks the heap and recovers it after a death. False with errno EINVAL (no heap), EDEADLK, EUCLEAN
 * (no sound map to recover from), or of the lock.
 */
bool bh_enter(struct bh_call *call, const bheap_t *heap);

/* bh_enter() that waits for the lock of a shared heap for a few seconds; false with EBUSY, too. */
bool bh_enter_soon(struct bh_call *call, const bheap_t *heap);

/* bh_enter() for a call that changes the heap; false with errno EROFS, too. */
bool bh_enter_to_change(struct bh_call *call, bheap_t *heap);

/* bh_enter() for a call that runs a callback, from which calls on this heap are refused. */
bool bh_enter_to_walk(struct bh_call *call, const bheap_t *heap);

/* For an entered call: unlocks, then delivers the reports. Keeps errno. */
void bh_leave(struct bh_call *call);
void bh_leave_walk(struct bh_call *call);

/*
 * Enters a shared heap that may not be used again for long, if its lock is free; leaves it with the
 * sum of its map taken.
 */
bool bh_enter_to_rest(struct bh_call *call, bheap_t *heap);
void bh_leave_at_rest(struct bh_call *call);

/* skip_lock: what bh_handle_skips() returned. */
static inline bool bh_may_skip_lock_by(const bheap_t *heap, unsigned skip_lock)
{
	return skip_lock == BH_SKIP_LOCK_ALWAYS ||
	       (skip_lock == BH_SKIP_LOCK_ONE_THREAD && bh_lock_may_skip(&heap->lock));
}

static inline bool bh_may_skip_lock(const bheap_t *heap)
{
	return bh_may_skip_lock_by(heap, bh_handle_skips(heap));
}

/*
 * Takes the lock of a private heap that needs nothing else of bh_enter(). If the caller then cannot
 * complete, it changes nothing, calls bh_leave_trylock() and takes the slow path.
 */
static inline enum bh_lock_tried bh_enter_trylock(bheap_t *heap)
{
	return BH_SKIP_LOCK_MAY_TRY(bh_handle_skips(heap)) ? bh_lock_try(&heap->lock)
							   : BH_LOCK_NOT_TAKEN;
}

/* tried: what bh_enter_trylock() returned. */
static inline void bh_leave_trylock(bheap_t *heap, enum bh_lock_tried tried)
{
	bh_lock_release_tried(&heap->lock, tried);
}

#endif
