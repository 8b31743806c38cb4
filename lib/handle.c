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

static enum bh_pass pass_for(const bheap_t *heap)
{
	if (heap->annotated || heap->trailers || heap->read_only)
		return BH_PASS_NONE;
	switch (heap->lock.kind) {
	case BH_LOCK_NONE:
		return BH_PASS_ALWAYS;
	case BH_LOCK_PRIVATE:
		return BH_PASS_ALONE;
	default:
		return BH_PASS_NONE;
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
	heap->pass = pass_for(heap);
	return 0;
}

void bh_handle_end(bheap_t *heap)
{
	bh_lock_destroy(&heap->lock);
}

void bh_note_report(struct bh_visit *visit, const struct bh_report *report)
{
	visit->heap->core.control->faults++;
	if (visit->count < BH_REPORTS_MAX)
		visit->reports[visit->count++] = *report;
}

void bh_note(struct bh_visit *visit, enum bheap_fault_kind kind, const void *address, size_t size,
	     const char *detail)
{
	bh_note_report(visit, &(struct bh_report){kind, address, size, detail, NULL});
}

bool bh_heal(struct bh_visit *visit)
{
	struct bh_core *core = &visit->heap->core;
	uint32_t damaged = core->bins.damaged;

	if (!damaged)
		return false;
	/* A link that was written over may have led into the middle of a block. */
	damaged = bh_core_around(core, damaged);
	bh_note(visit, BHEAP_FAULT_DAMAGED_INDEX, bh_core_address(core, damaged),
		bh_bytes(bh_core_granules(core, damaged)),
		"a free block was written to; rebuilt, nothing is lost");
	bh_rebuild(core);
	return true;
}

/*
 * In the copy that a fork made of a private heap while another thread was inside. Which block that
 * thread had not sealed yet nobody knows: every broken seal is made anew. (The parent still has its own.)
 */
static void trailers_renew(const bheap_t *heap)
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
		bh_shared_settle(heap);
	bh_rebuild(&heap->core);
	if (heap->shared)
		bh_shared_reseal(heap);
	else if (heap->trailers)
		trailers_renew(heap);
	/* What is a node now may have been filled, and the other way round. */
	bh_fill_forget(heap, BH_FIRST, heap->core.end);
	heap->core.control->recoveries++;
}

/* The last holder died, or was another thread when this process was forked. */
static void visit_recover(struct bh_visit *visit)
{
	bheap_t *heap = visit->heap;

	bh_recover(heap);
	bh_lock_repaired(&heap->lock);
	bh_note(visit, BHEAP_FAULT_RECOVERED, NULL, 0, NULL);
}

static bool visit_begin(struct bh_visit *visit, const bheap_t *heap, bool walks)
{
	if (!heap) {
		errno = EINVAL;
		return false;
	}
	visit->heap = (bheap_t *)heap;
	visit->count = 0;
	visit->lock = walks ? bh_lock_hold(&visit->heap->lock)
			    : bh_lock_acquire(&visit->heap->lock);
	if (visit->lock == BH_LOCK_REFUSED)
		return false;
	if (heap->annotated)
		bh_annotate_enter();
	/* Before the recovery, which may be cut short too. */
	if (heap->shared && !heap->read_only)
		bh_shared_begin(heap);
	if (BH_UNLIKELY(visit->lock == BH_LOCK_TORN))
		visit_recover(visit);
	return true;
}

bool bh_enter(struct bh_visit *visit, const bheap_t *heap)
{
	return visit_begin(visit, heap, false);
}

bool bh_enter_to_change(struct bh_visit *visit, bheap_t *heap)
{
	if (heap && heap->read_only) {
		errno = EROFS;
		return false;
	}
	return visit_begin(visit, heap, false);
}

bool bh_enter_to_walk(struct bh_visit *visit, const bheap_t *heap)
{
	if (!visit_begin(visit, heap, true))
		return false;
	visit->pass = visit->heap->pass;
	__atomic_store_n(&visit->heap->pass, BH_PASS_NONE, __ATOMIC_RELAXED);
	bh_lock_walk(&visit->heap->lock, true);
	return true;
}

void bh_leave_walk(struct bh_visit *visit)
{
	bh_lock_walk(&visit->heap->lock, false);
	__atomic_store_n(&visit->heap->pass, visit->pass, __ATOMIC_RELAXED);
	bh_leave(visit);
}

static void reports_make(const struct bh_visit *visit, const struct bh_fault_sink *sink)
{
	for (unsigned index = 0; index < visit->count; index++) {
		const struct bh_report *report = &visit->reports[index];
		struct bheap_fault fault;

		bh_fault_describe(&fault, report->kind, visit->heap, report->address, report->size,
				  report->detail, report->at);
		bh_fault_report(sink, &fault);
	}
}

void bh_leave(struct bh_visit *visit)
{
	bheap_t *heap = visit->heap;
	struct bh_fault_sink sink = heap->faults; /* while locked: another thread may set it */

	if (heap->annotated)
		bh_annotate_leave();
	if (visit->lock != BH_LOCK_SKIPPED) {
		if (heap->shared)
			bh_shared_commit(heap);
		bh_lock_release(&heap->lock);
	}
	reports_make(visit, &sink);
}
