/* SPDX-License-Identifier: MIT */
/*
 * block.h - what the operations on a heap are made of: commit a block, file a free one, withdraw
 * it, and look for a free neighbour. For heap.c, resize.c and rebuild.c alone.
 */
#ifndef BH_BLOCK_H
#define BH_BLOCK_H

#include "heap.h"

/* Marks a free block of so many granules allocated: the one store that commits an allocation. */
static inline uint32_t bh_alloc_commit(struct bh_core *core, uint32_t block, uint32_t granules)
{
	struct bh_control *control = core->control;

	control->pending = block;
	bh_map_set_used(&core->map, block);
	control->used += granules;
	if (control->peak < control->used)
		control->peak = control->used;
	control->allocations++;
	return block;
}

/* Files a free block of the map where it belongs; not beside the victim or the top. */
static inline void bh_index_insert(struct bh_core *core, uint32_t block, uint32_t granules)
{
	if (block + granules == core->end)
		core->control->top = block;
	else
		bh_bin_insert(&core->bins, block, granules);
}

/* Takes a free block out of the index, wherever it is; 0 for damage, else its size. */
static inline uint32_t bh_index_remove(struct bh_core *core, uint32_t block)
{
	struct bh_control *control = core->control;
	uint32_t granules;

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
