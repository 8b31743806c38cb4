/* SPDX-License-Identifier: MIT */
/*
 * block.c - see block.h.
 */
#include "api/block.h"

#include "core/annotate.h"
#include "core/free.h"
#include "core/probe.h"
#include "handle/damage.h"
#include "handle/fill.h"

uint32_t bh_block_find(const bheap_t *heap, const void *ptr)
{
	uint32_t block = bh_core_find(&heap->core, ptr);

	if (BH_LIKELY(!block || !bh_handle_is_cached(heap)))
		return block;
	return bh_cache_holds(heap, block, bh_core_granules(&heap->core, block)) ? 0 : block;
}

void bh_block_finish(const bheap_t *heap, uint32_t block, size_t size)
{
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	if (heap->annotated)
		bh_annotate_alloc(heap, bh_core_address(&heap->core, block), size);
	if (heap->trailers)
		bh_trailer_write(&heap->core, heap->key, block,
				 bh_core_granules(&heap->core, block), size ? size : BH_GRANULE,
				 bh_handle_owner(heap));
}

/* Notes that the granule before the first block was written to, and seals it again. */
static void front_verify(struct bh_call *call)
{
	const bheap_t *heap = call->heap;

	if (bh_block_front_is_intact(heap))
		return;
	bh_call_note(call, BHEAP_FAULT_OVERFLOW, NULL, 0, BH_BLOCK_FRONT_WRITTEN);
	bh_trailer_write_front(&heap->core, heap->key);
}

void bh_block_verify_trailer(struct bh_call *call, uint32_t block, uint32_t granules)
{
	const bheap_t *heap = call->heap;
	size_t usable;

	BH_ASSERT(bh_core_is_live(&heap->core, block));
	BH_ASSERT(granules == bh_core_granules(&heap->core, block));
	if (block == BH_FIRST)
		front_verify(call);
	if (!heap->trailers || bh_trailer_is_intact(&heap->core, heap->key, block, granules))
		return;
	usable = bh_handle_usable(heap, block, granules);
	bh_call_note(call, BHEAP_FAULT_OVERFLOW, bh_core_address(&heap->core, block), usable, NULL);
	if (granules > BH_TRAILER_GRANULES)
		bh_trailer_write(&heap->core, heap->key, block, granules, usable,
				 bh_trailer_owner(&heap->core, heap->key, block, granules));
}

void bh_block_release(struct bh_call *call, uint32_t block)
{
	struct bh_core *core = &call->heap->core;
	unsigned rebuilds = BH_DAMAGE_REBUILDS_MAX;
	enum bh_core_status status;

	BH_ASSERT(bh_core_is_live(core, block) && !call->heap->read_only);
	do {
		status = bh_free_block(core, block);
	} while (status == BH_DAMAGED && bh_damage_rebuild(call) && --rebuilds);
	if (status != BH_DONE)
		bh_free_by_map(core, block);
}

void bh_block_free_entered(struct bh_call *call, uint32_t block)
{
	bheap_t *heap = call->heap;
	uint32_t granules = bh_core_granules(&heap->core, block);

	bh_block_verify_trailer(call, block, granules);
	bh_fill_meet(call, block, block + granules);
	bh_block_release(call, block);
	if (heap->annotated)
		bh_annotate_free(heap, bh_core_address(&heap->core, block), bh_bytes(granules));
	bh_probe_free(heap, bh_core_address(&heap->core, block));
	bh_fill_freed(call, block, block + granules);
}

/* Of a free or cached block, or of the end: with what the heap may grow by, where freed blocks
 * were. */
static size_t free_size(const bheap_t *heap, uint32_t block)
{
	uint32_t end = heap->core.end,
		 next = block < end ? bh_map_next(&heap->core.map, block) : end;

	return bh_bytes(next - block) + (next == end ? bh_bytes(bh_handle_ahead(heap)) : 0);
}

void bh_block_note_bad_pointer(struct bh_call *call, const void *ptr)
{
	const struct bh_core *core = &call->heap->core;
	uintptr_t offset = (uintptr_t)ptr - (uintptr_t)bh_core_start(core);
	uint32_t granule = BH_FIRST + (uint32_t)(offset >> BH_GRANULE_SHIFT), block;

	if (offset >= bh_handle_size(call->heap)) {
		bh_call_note(call, BHEAP_FAULT_NOT_A_BLOCK, ptr, 0, "outside the heap");
		return;
	}
	block = offset < bh_core_size(core) ? bh_core_block_at(core, granule) : core->control->top;
	if (block < core->end && bh_map_is_used(&core->map, block) &&
	    !bh_cache_holds(call->heap, block, bh_core_granules(core, block)))
		bh_call_note(call, BHEAP_FAULT_NOT_A_BLOCK, ptr,
			     bh_bytes(bh_core_granules(core, block)), "inside one");
	else
		bh_call_note(call, BHEAP_FAULT_DOUBLE_FREE, ptr, free_size(call->heap, block),
			     NULL);
}

void bh_block_count_refusal(const bheap_t *heap, size_t size)
{
	struct bh_budget_refused *refusals = bh_handle_refusals(heap);
	size_t granules = size / BH_GRANULE + !!(size % BH_GRANULE);

	refusals->last = granules < UINT32_MAX ? (uint32_t)granules : UINT32_MAX;
	if (refusals->largest < refusals->last)
		refusals->largest = refusals->last;
	refusals->used = heap->core.control->used;
	heap->core.control->failures++;
	bh_probe_fail(heap, size);
}
