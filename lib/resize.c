/* SPDX-License-Identifier: MIT */
/*
 * resize.c - larger and smaller in place, and down over a free block in front.
 */
#include "block.h"

#include <string.h>

static enum bh_status block_shrink(struct bh_heap *heap, uint32_t block, uint32_t granules)
{
	uint32_t next = bh_map_next(&heap->map, block);
	uint32_t rest = block + granules, end = next;
	uint32_t victim = heap->control->victim;
	bool next_free = !bh_map_is_used(&heap->map, next);

	if (next_free) {
		uint32_t size = bh_block_withdraw(heap, next);

		if (!size)
			return BH_DAMAGED;
		end += size;
	}
	bh_map_set_start(&heap->map, rest, block, next);
	if (next_free) {
		bh_map_clear_start(&heap->map, next);
		bh_map_tag(&heap->map, rest, end);
	}
	heap->control->used -= next - rest;
	if (victim && next == victim) {
		heap->control->victim = rest;
		heap->control->victim_granules = end - rest;
	} else {
		bh_block_file(heap, rest, end - rest);
	}
	return BH_DONE;
}

static enum bh_status block_grow(struct bh_heap *heap, uint32_t block, uint32_t granules)
{
	struct bh_control *control = heap->control;
	uint32_t next = bh_map_next(&heap->map, block);
	uint32_t rest = block + granules, size;
	uint32_t victim = control->victim;

	if (bh_map_is_used(&heap->map, next))
		return BH_NO_ROOM;
	size = bh_heap_granules(heap, next);
	if (next + size < rest)
		return BH_NO_ROOM;
	if (!bh_block_withdraw(heap, next))
		return BH_DAMAGED;
	/* The rest first: a block cut short here has its old size or its new one, never all of both. */
	if (rest < next + size)
		bh_map_set_start(&heap->map, rest, next, next + size);
	bh_map_clear_start(&heap->map, next);
	bh_map_tag(&heap->map, block, rest);
	if (rest < next + size) {
		if (next == victim) {
			control->victim = rest;
			control->victim_granules = next + size - rest;
		} else {
			bh_block_file(heap, rest, next + size - rest);
		}
	}
	control->used += rest - next;
	if (control->peak < control->used)
		control->peak = control->used;
	return BH_DONE;
}

enum bh_status bh_heap_resize(struct bh_heap *heap, uint32_t block, size_t granules)
{
	uint32_t have = bh_heap_granules(heap, block);

	if (granules == have)
		return BH_DONE;
	if (granules < have)
		return block_shrink(heap, block, (uint32_t)granules);
	return granules <= heap->bins.span ? block_grow(heap, block, (uint32_t)granules)
					   : BH_NO_ROOM;
}

/* Whether the index holds a free block as it should: taken out and put back. */
static bool block_is_sound(struct bh_heap *heap, uint32_t block)
{
	uint32_t granules = bh_block_withdraw(heap, block);

	if (granules)
		bh_block_file(heap, block, granules);
	return granules;
}

enum bh_status bh_heap_slide(struct bh_heap *heap, uint32_t *block, size_t granules, size_t kept)
{
	uint32_t old = *block, have = bh_heap_granules(heap, old);
	uint32_t previous = bh_block_free_before(heap, old), next = old + have, size;

	if (!previous || granules > heap->bins.span)
		return BH_NO_ROOM;
	size = old - previous;
	if (!bh_map_is_used(&heap->map, next))
		size += bh_heap_granules(heap, next);
	if (size + have < granules)
		return BH_NO_ROOM;
	/* Damage on either side is met before anything moves. */
	if (!bh_map_is_used(&heap->map, next) && !block_is_sound(heap, next))
		return BH_DAMAGED;
	if (!bh_block_withdraw(heap, previous))
		return BH_DAMAGED;
	/* One block of both: used at its start first, then without the start between. */
	bh_map_set_used(&heap->map, previous);
	bh_map_clear_used(&heap->map, old);
	bh_map_clear_start(&heap->map, old);
	bh_map_tag(&heap->map, previous, next);
	heap->control->used += old - previous;
	if (heap->control->peak < heap->control->used)
		heap->control->peak = heap->control->used;
	memmove(bh_heap_address(heap, previous), bh_heap_address(heap, old), kept);
	*block = previous;
	return bh_heap_resize(heap, previous, granules);
}
