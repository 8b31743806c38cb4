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

/* Takes the first block out of a bin of one size that is not empty; 0 for damage. */
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
		bins->bits->words[0] &= ~((uint64_t)1 << bin);
	}
	bins->heads[bin] = next;
	return block;
}

static inline uint32_t bh_fast_exact(struct bh_heap *heap, uint32_t granules)
{
	uint32_t block = bh_fast_pop(heap, granules);

	if (BH_LIKELY(block)) {
		bh_map_set_used(&heap->map, block);
		bh_fast_count(heap->control, granules);
	}
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

/* From the bin of its size, else from the victim, else, when no bin can help, from the top; else 0.
 */
static inline uint32_t bh_fast_allocate(struct bh_heap *heap, size_t count)
{
	const struct bh_control *control = heap->control;
	uint32_t granules = (uint32_t)count;

	if (BH_UNLIKELY(count >= heap->bins.exact_limit))
		return 0;
	if (control->bits.words[0] >> granules & 1)
		return bh_fast_exact(heap, granules);
	if (BH_LIKELY(granules <= control->victim_granules))
		return bh_fast_carve(heap, granules);
	if (control->bits.words[0] >> granules | control->bits.summary)
		return 0;
	return bh_fast_from_top(heap, granules);
}

/* From the next larger bin of one size, the victim being too small; the rest is the new victim. */
static inline uint32_t bh_fast_cut(struct bh_heap *heap, size_t count)
{
	struct bh_control *control = heap->control;
	uint32_t granules = (uint32_t)count, block, bin;
	uint64_t larger = count < heap->bins.exact_limit ? control->bits.words[0] >> granules : 0;

	if (!larger || control->victim_granules >= granules)
		return 0;
	bin = granules + bh_lowest_bit(larger);
	if (BH_UNLIKELY(bin == granules) || BH_UNLIKELY(bin >= heap->bins.exact_limit) ||
	    BH_UNLIKELY(!bh_bin_first_is_sound(&heap->bins, bin)))
		return 0;
	block = bh_fast_pop(heap, bin);
	if (BH_UNLIKELY(!block))
		return 0;
	bh_map_set_start(&heap->map, block + granules);
	bh_map_set_used(&heap->map, block);
	if (control->victim)
		bh_bin_link(&heap->bins, control->victim, control->victim_granules);
	control->victim = block + granules;
	control->victim_granules = bin - granules;
	bh_fast_count(control, granules);
	return block;
}

/* ---- free ---- */

/* The end of a free block that follows the one being freed, taken out of its bin; 0 for damage. */
static inline uint32_t bh_fast_take_next(struct bh_heap *heap, uint32_t next)
{
	const struct bh_control *control = heap->control;
	uint32_t end;

	/* Top and victim are in no bin, and the ends of both are known. */
	if (next == control->victim)
		return next + control->victim_granules;
	if (next == control->top)
		return heap->end;
	end = bh_map_next(&heap->map, next);
	return BH_LIKELY(bh_bin_unlink(&heap->bins, next, end - next)) ? end : 0;
}

/* Files what a free has made: it may hold the victim. */
static inline void bh_fast_file(struct bh_heap *heap, uint32_t begin, uint32_t end)
{
	struct bh_control *control = heap->control;
	bool is_victim = control->victim - begin < end - begin;

	if (BH_UNLIKELY(end == heap->end)) {
		control->top = begin;
		if (is_victim) {
			control->victim = 0;
			control->victim_granules = 0;
		}
	} else if (is_victim) {
		control->victim = begin;
		control->victim_granules = end - begin;
	} else {
		bh_bin_link(&heap->bins, begin, end - begin);
	}
}

/* Frees a block and merges it with its free neighbours. */
static inline enum bh_status bh_fast_release(struct bh_heap *heap, uint32_t block)
{
	const struct bh_map *map = &heap->map;
	struct bh_control *control = heap->control;
	struct bh_map_side next = bh_map_after(map, block), previous = bh_map_before(map, block);
	uint32_t begin = block, end = next.granule;

	if (!next.used) {
		end = bh_fast_take_next(heap, next.granule);
		if (BH_UNLIKELY(!end))
			return BH_DAMAGED;
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
	bh_fast_file(heap, begin, end);
	return BH_DONE;
}

/* What is next to a block: a live one on either side, or a free one behind; anything else. */
enum bh_fast_place {
	BH_FAST_ALONE,
	BH_FAST_BEFORE_FREE,
	BH_FAST_ELSE,
};

/* Looks no further than the words beside the block's own. next is where the block ends. */
static inline enum bh_fast_place bh_fast_look(const struct bh_map *map, uint32_t block,
					      uint32_t *next)
{
	const struct bh_map_word *word = &map->words[block >> 6];
	uint64_t mask = bh_map_bit(block) - 1;
	uint64_t below = word->start & mask, used = word->used & mask, above;
	unsigned skip;

	if (!below) {
		below = word[-1].start;
		used = word[-1].used;
	}
	/* The last start is that of a live block exactly if the used starts make half the number or
	 * more. */
	if ((below ^ used) >= used)
		return BH_FAST_ELSE;
	above = word->start >> (block & 63) >> 1;
	if (BH_LIKELY(above)) {
		skip = bh_lowest_bit(above);
		*next = block + 1 + skip;
		return word->used >> (block & 63) >> 1 >> skip & 1 ? BH_FAST_ALONE
								   : BH_FAST_BEFORE_FREE;
	}
	above = word[1].start;
	if (BH_UNLIKELY(!above))
		return BH_FAST_ELSE;
	skip = bh_lowest_bit(above);
	*next = (block | 63) + 1 + skip;
	return word[1].used >> skip & 1 ? BH_FAST_ALONE : BH_FAST_BEFORE_FREE;
}

/* Frees a block between two live ones: not the last, which becomes the top. */
static inline void bh_fast_leave(struct bh_heap *heap, uint32_t block, uint32_t granules)
{
	bh_map_clear_used(&heap->map, block);
	heap->control->used -= granules;
	heap->control->frees++;
	bh_bin_link(&heap->bins, block, granules);
}

/* Frees a block between a live one and a free one. False, and nothing done, for damage. */
static inline bool bh_fast_join(struct bh_heap *heap, uint32_t block, uint32_t next)
{
	struct bh_control *control = heap->control;
	uint32_t end = bh_fast_take_next(heap, next);

	if (BH_UNLIKELY(!end))
		return false;
	bh_map_clear_used(&heap->map, block);
	bh_map_clear_start(&heap->map, next);
	control->used -= next - block;
	control->frees++;
	if (next == control->victim) {
		control->victim = block;
		control->victim_granules = end - block;
	} else if (next == control->top) {
		control->top = block;
	} else {
		bh_bin_link(&heap->bins, block, end - block);
	}
	return true;
}

#endif
