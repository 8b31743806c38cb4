/* SPDX-License-Identifier: MIT */
/*
 * fast.h - the straight path of allocate, for small blocks, and free, inline where they are called.
 * What it cannot do it leaves undone, for heap.c to do from the start. Its allocate never sets
 * control->pending: shared heaps do not come here.
 */
#ifndef BH_FAST_H
#define BH_FAST_H

#include "block.h"

/* ---- allocate ---- */

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

	if (BH_UNLIKELY(!bh_map_try_start(&heap->map, block + granules)))
		return 0;
	bh_map_set_used(&heap->map, block);
	control->victim_granules = rest;
	control->victim = rest ? block + granules : 0;
	bh_fast_count(control, granules);
	return block;
}

static inline uint32_t bh_fast_from_top(struct bh_heap *heap, uint32_t granules)
{
	struct bh_control *control = heap->control;
	uint32_t block = control->top;

	if (BH_UNLIKELY(heap->end - block < granules) ||
	    BH_UNLIKELY(!bh_map_try_start(&heap->map, block + granules)))
		return 0;
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

	if (BH_UNLIKELY(count >= heap->bins.exact_limit))
		return 0;
	if (control->bits.words[0] >> granules & 1)
		return bh_fast_pop(heap, granules);
	if (BH_LIKELY(granules <= control->victim_granules))
		return bh_fast_carve(heap, granules);
	if (control->bits.words[0] >> granules | control->bits.summary)
		return 0;
	return bh_fast_from_top(heap, granules);
}

/* From the next larger bin of one size, the victim being too small; the rest is the new victim. */
BH_UNCHECKED
static inline uint32_t bh_fast_cut(struct bh_heap *heap, size_t count)
{
	struct bh_control *control = heap->control;
	struct bh_bins *bins = &heap->bins;
	uint32_t granules = (uint32_t)count, block, bin;
	uint64_t larger = count < bins->exact_limit ? control->bits.words[0] >> granules : 0;

	if (!larger || control->victim_granules >= granules)
		return 0;
	bin = granules + bh_lowest_bit(larger);
	block = bins->heads[bin];
	if (BH_UNLIKELY(bin >= bins->exact_limit) || BH_UNLIKELY(bin == granules) ||
	    BH_UNLIKELY(!bh_bin_unlink(bins, block, bin)))
		return 0;
	bh_map_set_start(&heap->map, block + granules);
	bh_map_set_used(&heap->map, block);
	if (control->victim)
		bh_bin_link(bins, control->victim, control->victim_granules);
	control->victim = block + granules;
	control->victim_granules = bin - granules;
	bh_fast_count(control, granules);
	return block;
}

/* ---- free ---- */

/*
 * The granules of a live block between two live ones that start in its own word of the map or one
 * beside it, or the sentinel at the end; 0 for any other.
 */
static inline uint32_t bh_fast_alone(const struct bh_map *map, uint32_t block)
{
	const struct bh_map_word *word = &map->words[block >> 6];
	uint64_t mask = bh_map_bit(block) - 1;
	uint64_t below = word->start & mask, used = word->used & mask, above;
	unsigned skip;

	if (!below) {
		below = word[-1].start;
		used = word[-1].used;
	}
	/* The last start is that of a used block exactly if the used starts make half the number or more. */
	if ((below ^ used) >= used)
		return 0;
	above = word->start >> (block & 63) >> 1;
	if (BH_LIKELY(above)) {
		skip = bh_lowest_bit(above);
		return word->used >> (block & 63) >> 1 >> skip & 1 ? skip + 1 : 0;
	}
	above = word[1].start;
	skip = bh_lowest_bit(above | (uint64_t)1 << 63);
	return word[1].used >> skip & above >> skip & 1 ? (block | 63) + 1 - block + skip : 0;
}

/* Frees a block between two live ones: not the last, which becomes the top. */
static inline void bh_fast_release(struct bh_heap *heap, uint32_t block, uint32_t granules)
{
	bh_map_clear_used(&heap->map, block);
	heap->control->used -= granules;
	heap->control->frees++;
	bh_bin_link(&heap->bins, block, granules);
}

/* Frees a block and merges it with its free neighbours. */
static inline enum bh_status bh_fast_merge(struct bh_heap *heap, uint32_t block)
{
	const struct bh_map *map = &heap->map;
	struct bh_control *control = heap->control;
	struct bh_map_side next = bh_map_after(map, block), previous = bh_map_before(map, block);
	uint32_t begin = block, end = next.granule;

	/* Top and victim are in no bin; and the top is long: only its end is sure to be found at once. */
	if (!next.used) {
		if (end == control->victim)
			end += control->victim_granules;
		else if (end == control->top)
			end = heap->end;
		else {
			end = bh_map_next(map, end);
			if (BH_UNLIKELY(!bh_bin_unlink(&heap->bins, next.granule,
						       end - next.granule)))
				return BH_DAMAGED;
		}
	}
	if (!previous.used) {
		begin = previous.granule;
		if (begin != control->victim &&
		    BH_UNLIKELY(!bh_bin_unlink(&heap->bins, begin, block - begin)))
			return BH_DAMAGED;
	}
	bh_map_clear_used(map, block);
	if (!next.used)
		bh_map_clear_start(map, next.granule);
	if (!previous.used)
		bh_map_clear_start(map, block);
	control->used -= next.granule - block;
	control->frees++;
	if (BH_UNLIKELY(end == heap->end)) {
		control->top = begin;
		if (control->victim >= begin) {
			control->victim = 0;
			control->victim_granules = 0;
		}
	} else if (control->victim - begin < end - begin) {
		control->victim = begin;
		control->victim_granules = end - begin;
	} else {
		bh_bin_link(&heap->bins, begin, end - begin);
	}
	return BH_DONE;
}

#endif
