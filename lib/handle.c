/* SPDX-License-Identifier: MIT */
/*
 * handle.c - the door. Keeps: no report is made while a lock is held; a heap whose last holder
 * vanished inside an operation is whole again before anyone works on it.
 */
#include "handle.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "fill.h"
#include "shared.h"

/* A word that differs from run to run, without a system call. */
static uint64_t key_random(void)
{
	const void *seed = (const void *)getauxval(AT_RANDOM);
	uint64_t key = UINT64_C(0x5851f42d4c957f2d);

	if (seed)
		memcpy(&key, seed, sizeof(key));
	return key;
}

static enum bh_skip_lock skip_lock_for(const bheap_t *heap)
{
	if (heap->annotated || heap->trailers || heap->read_only)
		return BH_SKIP_LOCK_NEVER;
	switch (heap->lock.kind) {
	case BH_LOCK_NONE:
		return BH_SKIP_LOCK_ALWAYS;
	case BH_LOCK_PRIVATE:
		return BH_SKIP_LOCK_ONE_THREAD;
	default:
		return BH_SKIP_LOCK_NEVER;
	}
}

int bh_handle_init(bheap_t *heap, unsigned flags, enum bh_lock_kind kind, pthread_mutex_t *shared)
{
	heap->flags = flags;
	heap->trailers = flags & (BHEAP_GUARD | BHEAP_OWNED);
	heap->annotated = bh_annotate_wanted();
	heap->key = key_random();
	heap->faults.aborts = flags & BHEAP_ABORT;
	heap->core.realtime = flags & BHEAP_REALTIME;
	if (bh_lock_init(&heap->lock, kind, shared))
		return -1;
	heap->skip_lock = skip_lock_for(heap);
	return 0;
}

void bh_handle_end(bheap_t *heap)
{
	bh_lock_destroy(&heap->lock);
}

void bh_call_note_report(struct bh_call *call, const struct bh_report *report)
{
	call->heap->core.control->faults++;
	if (call->count < BH_REPORTS_MAX)
		call->reports[call->count++] = *report;
}

void bh_call_note(struct bh_call *call, enum bheap_fault_kind kind, const void *address, size_t size,
	     const char *detail)
{
	bh_call_note_report(call, &(struct bh_report){kind, address, size, detail, NULL});
}

bool bh_damage_rebuild(struct bh_call *call)
{
	struct bh_core *core = &call->heap->core;
	uint32_t damaged = core->bins.damaged;

	if (!damaged)
		return false;
	/* A link that was written over may have led into the middle of a block. */
	damaged = bh_core_block_at(core, damaged);
	bh_call_note(call, BHEAP_FAULT_DAMAGED_INDEX, bh_core_address(core, damaged),
		bh_bytes(bh_core_granules(core, damaged)),
		"a free block was written to; rebuilt, nothing is lost");
	bh_rebuild(core);
	return true;
}

/*
 * In the copy that a fork made of a private heap while another thread was inside. Which block that
 * thread had not sealed yet nobody knows: every broken seal is made anew. (The parent still has its own.)
 */
static void trailers_rewrite(const bheap_t *heap)
{
	const struct bh_core *core = &heap->core;

	for (uint32_t block = BH_FIRST, next; block < core->end; block = next) {
		uint32_t granules;

		next = bh_map_next(&core->map, block);
		granules = next - block;
		if (bh_map_is_used(&core->map, block) && granules > BH_TRAILER_GRANULES &&
		    !bh_trailer_is_intact(core, heap->key, block, granules))
			bh_trailer_write(core, heap->key, block, granules,
					 bh_bytes(granules - BH_TRAILER_GRANULES), 0);
	}
}

void bh_recover(bheap_t *heap)
{
	if (heap->shared)
		bh_intent_roll_back(heap);
	bh_rebuild(&heap->core);
	if (heap->shared)
		bh_intent_rewrite_trailer(heap);
	else if (heap->trailers)
		trailers_rewrite(heap);
	/* What is a node now may have been filled, and the other way round. */
	bh_fill_forget(heap, BH_FIRST, heap->core.end);
	heap->core.control->recoveries++;
}

/* The last holder died, or was another thread when this process was forked. */
static void call_recover(struct bh_call *call)
{
	bheap_t *heap = call->heap;

	bh_recover(heap);
	bh_lock_recovered(&heap->lock);
	bh_call_note(call, BHEAP_FAULT_RECOVERED, NULL, 0, NULL);
}

static bool call_begin(struct bh_call *call, const bheap_t *heap, bool walks)
{
	if (!heap) {
		errno = EINVAL;
		return false;
	}
	call->heap = (bheap_t *)heap;
	call->count = 0;
	call->lock = walks ? bh_lock_hold(&call->heap->lock)
			    : bh_lock_acquire(&call->heap->lock);
	if (call->lock == BH_LOCK_REFUSED)
		return false;
	if (heap->annotated)
		bh_annotate_enter();
	/* Before the recovery, which may be cut short too. */
	if (heap->shared && !heap->read_only)
		bh_intent_begin(heap);
	if (BH_UNLIKELY(call->lock == BH_LOCK_TORN))
		call_recover(call);
	return true;
}

bool bh_enter(struct bh_call *call, const bheap_t *heap)
{
	return call_begin(call, heap, false);
}

bool bh_enter_to_change(struct bh_call *call, bheap_t *heap)
{
	if (heap && heap->read_only) {
		errno = EROFS;
		return false;
	}
	return call_begin(call, heap, false);
}

bool bh_enter_to_walk(struct bh_call *call, const bheap_t *heap)
{
	if (!call_begin(call, heap, true))
		return false;
	call->skip_lock = call->heap->skip_lock;
	__atomic_store_n(&call->heap->skip_lock, BH_SKIP_LOCK_NEVER, __ATOMIC_RELAXED);
	bh_lock_walk(&call->heap->lock, true);
	return true;
}

void bh_leave_walk(struct bh_call *call)
{
	bh_lock_walk(&call->heap->lock, false);
	__atomic_store_n(&call->heap->skip_lock, call->skip_lock, __ATOMIC_RELAXED);
	bh_leave(call);
}

static void reports_make(const struct bh_call *call, const struct bh_fault_sink *sink)
{
	for (unsigned index = 0; index < call->count; index++) {
		const struct bh_report *report = &call->reports[index];
		struct bheap_fault fault;

		bh_fault_describe(&fault, report->kind, call->heap, report->address, report->size,
				  report->detail, report->at);
		bh_fault_report(sink, &fault);
	}
}

void bh_leave(struct bh_call *call)
{
	bheap_t *heap = call->heap;
	struct bh_fault_sink sink = heap->faults; /* while locked: another thread may set it */

	if (heap->annotated)
		bh_annotate_leave();
	if (call->lock != BH_LOCK_SKIPPED) {
		if (heap->shared)
			bh_intent_end(heap);
		bh_lock_release(&heap->lock);
	}
	reports_make(call, &sink);
}
