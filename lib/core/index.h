/* SPDX-License-Identifier: MIT */
/*
 * index.h - the free blocks of a heap, each in one place: the top, the victim, or the bin of its
 * size. Inserts and removes them, and finds a free neighbour.
 */
#ifndef BH_INDEX_H
#define BH_INDEX_H

#include "core/core.h"

/*
 * Inserts a free block that has no free neighbour: as the top where it ends the heap, else into its
 * bin.
 */
static inline void bh_index_insert(struct bh_core *core, uint32_t block, uint32_t granules)
{
	BH_ASSERT(bh_core_is_free(core, block));
	BH_ASSERT(granules && bh_core_is_live(core, block + granules));
	if (block + granules == core->end)
		core->control->top = block;
	else
		bh_bin_insert(&core->bins, block, granules);
}

/* Removes a free block from wherever it is; its size, or 0 for damage. */
static inline uint32_t bh_index_remove(struct bh_core *core, uint32_t block)
{
	struct bh_control *control = core->control;
	uint32_t granules;

	BH_ASSERT(bh_core_is_free(core, block));
	if (block == control->top) {
		control->top = core->end;
		return core->end - block;
	}
	if (block == control->victim) {
		granules = control->victim_granules;
		control->victim = 0;
		control->victim_granules = 0;
		return granules;
	}
	granules = bh_core_granules(core, block);
	return BH_LIKELY(bh_bin_remove(&core->bins, block, granules)) ? granules : 0;
}

/* The free block right before this one, or 0. */
static inline uint32_t bh_index_previous_free(const struct bh_core *core, uint32_t block)
{
	struct bh_map_neighbour previous = bh_map_previous_start(&core->map, block);

	return previous.used ? 0 : previous.granule;
}

#endif
