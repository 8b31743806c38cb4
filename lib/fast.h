/* SPDX-License-Identifier: MIT */
/*
 * fast.h - the straight path of allocate, for small blocks, and free, inline where they are called.
 * What it cannot do it leaves undone, for heap.c to do from the start. Its allocate never sets
 * control->pending: shared heaps do not come here.
 */
#ifndef BH_FAST_H
#define BH_FAST_H

#include "block.h"

static inline void bh_fast_count(struct bh_control *control, uint32_t granules)
{
	uint32_t used = control->used + granules;

	control->used = used;
	if (BH_UNLIKELY(control->peak < used))
		control->peak = used;
	control->allocations++;
}

/* The first block of a bin of one size. */
BH_UNCHECKED
static inline uint32_t bh_fast_pop(struct bh_heap *heap, uint32_t bin)
{
	struct bh_bins *bins = &heap->bins;
	uint32_t block = bins->heads[bin], next = bh_node(bins, block)->links.next;

	if (next) {
		struct bh_node *after = bh_node(bins, next);

		if (BH_UNLIKELY(next > bins->span) || BH_UNLIKELY(after->links.previous != block))
			return 0;
		after->links.previous = 0;
	} else {
		heap->control->bits.words[0] &= ~((uint64_t)1 << bin);
	}
	bins->heads[bin] = next;
	bh_map_set_used(&heap->map, block);
	bh_fast_count(heap->control, bin);
	return block;
}

static inline uint32_t bh_fast_carve(struct bh_heap *heap, uint32_t granules)
{
	struct bh_control *control = heap->control;
	uint32_t block = control->victim, rest = control->victim_granules - granules;

	bh_map_set_start(&heap->map, block + granules);
	bh_map_set_used(&heap->map, block);
	control->victim = rest ? block + granules : 0;
	control->victim_granules = rest;
	bh_fast_count(control, granules);
	return block;
}

static inline uint32_t bh_fast_from_top(struct bh_heap *heap, uint32_t granules)
{
	struct bh_control *control = heap->control;
	uint32_t block = control->top;

	if (BH_UNLIKELY(heap->end - block < granules))
		return 0;
	bh_map_set_start(&heap->map, block + granules);
	bh_map_set_used(&heap->map, block);
	control->top = block + granules;
	bh_fast_count(control, granules);
	return block;
}

/* From the bin of its size, else from the victim, else, when no bin can help, from the top; else 0. */
static inline uint32_t bh_fast_allocate(struct bh_heap *heap, size_t count)
{
	const struct bh_control *control = heap->control;
	uint32_t granules = (uint32_t)count;
	uint64_t larger;

	if (BH_UNLIKELY(count >= heap->bins.exact_limit))
		return 0;
	larger = control->bits.words[0] >> granules;
	if (larger & 1)
		return bh_fast_pop(heap, granules);
	if (BH_LIKELY(granules <= control->victim_granules))
		return bh_fast_carve(heap, granules);
	return larger | control->bits.summary ? 0 : bh_fast_from_top(heap, granules);
}

/* Frees a block and merges it with its free neighbours. */
static inline enum bh_status bh_fast_release(struct bh_heap *heap, uint32_t block)
{
	const struct bh_map *map = &heap->map;
	struct bh_control *control = heap->control;
	uint32_t next = bh_map_next(map, block), previous = bh_map_previous(map, block);
	bool next_free = !bh_map_is_used(map, next), previous_free = !bh_map_is_used(map, previous);
	uint32_t begin = block, end = next, victim = control->victim;
	bool was_victim = false;

	if (next_free) {
		/* The top is long: only its end is sure to be found at once. */
		end = next == control->top ? heap->end : bh_map_next(map, next);
		if (next == victim)
			was_victim = true;
		else if (next != control->top &&
			 BH_UNLIKELY(!bh_bin_unlink(&heap->bins, next, end - next)))
			return BH_DAMAGED;
	}
	if (previous_free) {
		begin = previous;
		if (previous == victim)
			was_victim = true;
		else if (BH_UNLIKELY(!bh_bin_unlink(&heap->bins, previous, block - previous)))
			return BH_DAMAGED;
	}
	bh_map_clear_used(map, block);
	if (next_free)
		bh_map_clear_start(map, next);
	if (previous_free)
		bh_map_clear_start(map, block);
	control->used -= next - block;
	control->frees++;
	if (BH_UNLIKELY(end == heap->end)) {
		control->top = begin;
		begin = end;
	}
	if (was_victim) {
		control->victim_granules = end - begin;
		control->victim = begin < end ? begin : 0;
	} else if (begin < end) {
		bh_bin_link(&heap->bins, begin, end - begin);
	}
	return BH_DONE;
}

#endif
