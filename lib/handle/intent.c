/* SPDX-License-Identifier: MIT */
/*
 * intent.c - the intent is stored before what it announces and cleared last.
 * Keeps: control->pending is not 0 only between the commit of an allocation and its end, or from
 * before a slot is cleared until its block is free. A pending block that is in no slot has no
 * owner.
 */
#include "handle/intent.h"

void bh_intent_begin(const bheap_t *heap)
{
	BH_ASSERT(heap->shared && !heap->read_only);
	bh_shared_note(&heap->shared->inside, BH_INSIDE);
}

void bh_intent_end(const bheap_t *heap, enum bh_shared_inside inside)
{
	BH_ASSERT(heap->shared && !heap->read_only);
	BH_ASSERT(inside == BH_OUTSIDE || inside == BH_AT_REST);
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* the block is finished */
	heap->core.control->pending = 0;
	bh_shared_store(&heap->shared->slot, 0);
	bh_shared_note(&heap->shared->resizing, 0);
	bh_shared_note(&heap->shared->inside, inside);
}

void bh_intent_resize(const bheap_t *heap, uint32_t block, uint32_t owner)
{
	BH_ASSERT(!block || bh_core_is_live(&heap->core, block));
	if (!heap->shared)
		return;
	heap->shared->resizing_owner = owner;
	bh_shared_note(&heap->shared->resizing, block);
}

/* The root, or the word at an offset, if it lies whole in the user's granules; else NULL. */
static const uint64_t *slot_at(const bheap_t *heap, uint64_t offset)
{
	const uint64_t *slot = bh_core_pointer(&heap->core, offset);

	if (offset == BH_SHARED_SLOT_ROOT)
		return &heap->core.control->root;
	return slot && offset % sizeof(*slot) == 0 ? slot : NULL;
}

static bool block_is_live(const bheap_t *heap, uint32_t block)
{
	return block - BH_FIRST < heap->core.bins.span && bh_map_is_start(&heap->core.map, block) &&
	       bh_map_is_used(&heap->core.map, block);
}

void bh_intent_roll_back(const bheap_t *heap)
{
	uint32_t block = heap->core.control->pending;
	const uint64_t *slot = slot_at(heap, heap->shared->slot);

	if (block_is_live(heap, block) && !(slot && *slot == bh_bytes(block)))
		bh_map_clear_used(&heap->core.map, block);
	heap->core.control->pending = 0;
	bh_shared_store(&heap->shared->slot, 0);
}

void bh_intent_rewrite_trailer(const bheap_t *heap)
{
	uint32_t block = heap->shared->resizing, granules;

	if (heap->trailers && block_is_live(heap, block)) {
		granules = bh_core_granules(&heap->core, block);
		if (granules > BH_TRAILER_GRANULES)
			bh_trailer_write(&heap->core, heap->key, block, granules,
					 bh_bytes(granules - BH_TRAILER_GRANULES),
					 heap->shared->resizing_owner);
	}
	bh_shared_note(&heap->shared->resizing, 0);
}
