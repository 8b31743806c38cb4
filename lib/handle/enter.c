/* SPDX-License-Identifier: MIT */
/*
 * enter.c - entry and exit of a call. Keeps: no report is made while a lock is held; a heap whose
 * last holder died inside an operation is recovered before anyone works on it.
 */
#include "handle/enter.h"

#include <errno.h>

#include "core/annotate.h"
#include "core/verify.h"
#include "handle/caches.h"
#include "handle/intent.h"
#include "handle/note.h"
#include "handle/recover.h"
#include "handle/rest.h"

/*
 * Ends a call that found no map to recover from: the lock stays torn, so that every later call
 * fails.
 */
static bool call_give_up(struct bh_call *call)
{
	const struct bh_fault_sink sink = bh_handle_fault_sink(call->heap);

	bh_call_note(call, BHEAP_FAULT_DAMAGED_MAP, NULL, 0,
		     "after a death in an operation; not rebuilt");
	bh_annotate_leave(call->heap->annotated);
	bh_lock_release(&call->heap->lock);
	bh_call_report(call, &sink);
	errno = EUCLEAN;
	return false;
}

/*
 * The last holder died, or was another thread when this process was forked. It left a sound map at
 * every instruction, unless it was killed for what it wrote elsewhere.
 */
static bool call_recover(struct bh_call *call)
{
	bheap_t *heap = call->heap;
	struct bh_verify_finding finding;

	if (!bh_verify_map(&heap->core, &finding))
		return call_give_up(call);
	bh_recover(heap);
	bh_lock_recovered(&heap->lock);
	bh_call_note(call, BHEAP_FAULT_RECOVERED, NULL, 0, NULL);
	return true;
}

/* After a walk. */
static void skip_lock_restore(bheap_t *heap)
{
	__atomic_store_n(&heap->skip_lock, bh_handle_skip_lock(heap), __ATOMIC_RELAXED);
}

/*
 * True in a child of a fork that is in another PID namespace than those attached: a robust mutex
 * knows its owner by a thread id, which means another thread there. Found before the child takes
 * the lock for the first time, so its other calls need not ask.
 */
static bool is_of_other_namespace(const struct bh_call *call)
{
	const bheap_t *heap = call->heap;

	return heap->shared && !heap->read_only && heap->lock.generation != call->generation &&
	       heap->shared->pid_namespace != bh_handle_pid_namespace();
}

/*
 * True in a private heap if its process has one thread, which is in no walk, and nothing is to be
 * reinitialised or recovered: then there is nothing to do.
 */
static inline bool is_entered_freely(const bheap_t *heap)
{
	return heap->lock.kind == BH_LOCK_PRIVATE && bh_lock_may_skip(&heap->lock) &&
	       !heap->lock.walker && !heap->lock.torn;
}

typedef enum bh_lock_result lock_fn(struct bh_lock *lock);

static bool call_begin(struct bh_call *call, const bheap_t *heap, lock_fn *lock)
{
	if (!heap) {
		errno = EINVAL;
		return false;
	}
	call->heap = (bheap_t *)heap;
	call->closed = false;
	call->count = 0;
	if (lock != bh_lock_hold && is_entered_freely(heap)) {
		call->lock = BH_LOCK_SKIPPED;
		call->generation = heap->lock.generation;
		bh_annotate_enter(heap->annotated);
		return true;
	}
	call->generation = bh_fork_generation_begin();
	if (is_of_other_namespace(call)) {
		errno = EBUSY;
		return false;
	}
	call->lock = lock(&call->heap->lock);
	if (call->lock == BH_LOCK_REFUSED)
		return false;
	/* In the child of a fork that another thread's walk was cut off by. */
	if (bh_lock_forget_walk(&call->heap->lock))
		skip_lock_restore(call->heap);
	bh_annotate_enter(heap->annotated);
	/* Before the recovery, in which this process may die, too. */
	if (heap->shared && !heap->read_only)
		bh_intent_begin(heap);
	return BH_LIKELY(call->lock != BH_LOCK_TORN) || call_recover(call);
}

bool bh_enter(struct bh_call *call, const bheap_t *heap)
{
	return call_begin(call, heap, bh_lock_acquire);
}

bool bh_enter_soon(struct bh_call *call, const bheap_t *heap)
{
	return call_begin(call, heap, bh_lock_acquire_soon);
}

bool bh_enter_to_change(struct bh_call *call, bheap_t *heap)
{
	if (heap && heap->read_only) {
		errno = EROFS;
		return false;
	}
	return call_begin(call, heap, bh_lock_acquire);
}

bool bh_enter_to_walk(struct bh_call *call, const bheap_t *heap)
{
	if (!call_begin(call, heap, bh_lock_hold))
		return false;
	__atomic_store_n(&call->heap->skip_lock, BH_SKIP_LOCK_NEVER, __ATOMIC_RELAXED);
	bh_lock_walk(&call->heap->lock, true);
	/* What the callback does wrong is reported, even if it ends its thread. */
	bh_annotate_leave(call->heap->annotated);
	return true;
}

void bh_leave_walk(struct bh_call *call)
{
	bh_annotate_enter(call->heap->annotated);
	bh_lock_walk(&call->heap->lock, false);
	skip_lock_restore(call->heap);
	bh_leave(call);
}

bool bh_enter_to_rest(struct bh_call *call, bheap_t *heap)
{
	int saved = errno;

	if (heap->read_only)
		return false;
	if (call_begin(call, heap, bh_lock_try_shared))
		return true;
	errno = saved;
	return false;
}

/*
 * A walk callback forked and returns in the child: the lock of a shared heap, and what is under way
 * in it, is the parent's.
 */
static bool was_forked(const struct bh_call *call)
{
	return call->heap->shared && call->generation != bh_fork_generation();
}

static void call_end(struct bh_call *call, enum bh_shared_inside inside)
{
	bheap_t *heap = call->heap;
	/* Read while locked: another thread may set it. */
	const struct bh_fault_sink sink = bh_handle_fault_sink(heap);

	BH_ASSERT(call->lock != BH_LOCK_REFUSED);
	BH_ASSERT(call->lock != BH_LOCK_SKIPPED || heap->lock.kind != BH_LOCK_SHARED);
	bh_annotate_leave(heap->annotated);
	if (call->closed)
		bh_caches_open(bh_caches(heap));
	if (call->lock != BH_LOCK_SKIPPED && !was_forked(call)) {
		if (heap->shared)
			bh_intent_end(heap, inside);
		bh_lock_release(&heap->lock);
	}
	bh_call_report(call, &sink);
}

void bh_leave(struct bh_call *call)
{
	call_end(call, BH_OUTSIDE);
}

void bh_leave_at_rest(struct bh_call *call)
{
	call_end(call, bh_rest_begin(call->heap));
}
