/* SPDX-License-Identifier: MIT */
/*
 * alloc.h - a free block becomes an allocated one, whole or split. The fast path, for small blocks,
 * is inline; if it cannot complete, it changes nothing, and bh_alloc_block() does the whole. The
 * fast path never sets control->pending: shared heaps do not take it.
 */
#ifndef BH_ALLOC_H
#define BH_ALLOC_H

#include "core/index.h"

/* A block, or 0: no room, or (bins.damaged is set) damage. */
uint32_t bh_alloc_block(struct bh_core *core, size_t granules);

/*
 * A block whose address is a multiple of alignment, a power of two above a granule; or 0, as above.
 */
uint32_t bh_alloc_aligned(struct bh_core *core, size_t alignment, size_t granules);

/*
 * The same by the map alone, which is walked, and the index is rebuilt: for a heap in which damage
 * comes back as often as it is healed. 0: no room.
 */
uint32_t bh_alloc_by_map(struct bh_core *core, size_t alignment, size_t granules);

/* ---- fast path ---- */

static inline void bh_alloc_count(struct bh_control *control, uint32_t granules)
{
	uint32_t used = control->used + granules;

	control->used = used;
	if (BH_UNLIKELY(control->peak < used))
		control->peak = used;
	control->allocations++;
}

/* Takes the first block out of a bin of one size that is not empty; 0 for damage. */
BH_UNCHECKED
static inline uint32_t bh_alloc_pop(struct bh_core *core, uint32_t bin)
{
	struct bh_bins *bins = &core->bins;
	uint32_t block = bins->heads[bin], next = bh_bin_node(bins, block)->links.next;
	uint32_t *back = bh_bin_backlink(bins, next);

	if (BH_UNLIKELY(next > bins->span))
		return 0;
	bins->heads[0] = block;
	if (BH_UNLIKELY(*back != block))
		return 0;
	*back = 0;
	bins->bits->words[0] &= ~((uint64_t)!next << bin);
	bins->heads[bin] = next;
	return block;
}

static inline uint32_t bh_alloc_exact(struct bh_core *core, uint32_t granules)
{
	uint32_t block = bh_alloc_pop(core, granules);

	if (BH_LIKELY(block)) {
		bh_map_set_used(&core->map, block);
		bh_alloc_count(core->control, granules);
	}
	return block;
}

static inline uint32_t bh_alloc_from_victim(struct bh_core *core, uint32_t granules)
{
	struct bh_control *control = core->control;
	uint32_t block = control->victim, rest = control->victim_granules - granules;

	if (BH_UNLIKELY(!bh_map_try_start(&core->map, block + granules)))
		return 0;
	bh_map_set_used(&core->map, block);
	control->victim_granules = rest;
	control->victim = rest ? block + granules : 0;
	bh_alloc_count(control, granules);
	return block;
}

static inline uint32_t bh_alloc_from_top(struct bh_core *core, uint32_t granules)
{
	struct bh_control *control = core->control;
	uint32_t block = control->top;

	if (BH_UNLIKELY(core->end - block < granules) ||
	    BH_UNLIKELY(!bh_map_try_start(&core->map, block + granules)))
		return 0;
	bh_map_set_used(&core->map, block);
	control->top = block + granules;
	bh_alloc_count(control, granules);
	return block;
}

/*
 * From the bin of its size, else from the victim, else, when no bin can help, from the top; else 0.
 *
 */
static inline uint32_t bh_alloc_fast(struct bh_core *core, uint32_t granules)
{
	const struct bh_control *control = core->control;

	if (control->bits.words[0] >> granules & 1)
		return bh_alloc_exact(core, granules);
	if (BH_LIKELY(granules <= control->victim_granules))
		return bh_alloc_from_victim(core, granules);
	if (control->bits.words[0] >> granules | control->bits.summary)
		return 0;
	return bh_alloc_from_top(core, granules);
}

/*
 * From the next larger bin of one size, the victim being too small; the rest is the new victim. The
 * block is shorter than a word of the map: the word in which the rest starts has a start already,
 * that of this block or of the next.
 */
static inline uint32_t bh_alloc_split(struct bh_core *core, uint32_t granules)
{
	struct bh_control *control = core->control;
	uint64_t larger = control->bits.words[0] >> granules;
	uint32_t bin, block;

	if (!larger || control->victim_granules >= granules)
		return 0;
	bin = granules + bh_lowest_bit(larger);
	if (BH_UNLIKELY(bin >= core->bins.exact_limit) ||
	    BH_UNLIKELY(!bh_bin_first_is_sound(&core->bins, bin)))
		return 0;
	block = bh_alloc_pop(core, bin);
	if (BH_UNLIKELY(!block))
		return 0;
	bh_map_add_start(&core->map, block + granules);
	bh_map_set_used(&core->map, block);
	if (control->victim)
		bh_bin_insert(&core->bins, control->victim, control->victim_granules);
	control->victim = block + granules;
	control->victim_granules = bin - granules;
	bh_alloc_count(control, granules);
	return block;
}

#endif
