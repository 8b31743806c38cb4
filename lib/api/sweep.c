/* SPDX-License-Identifier: MIT */
/*
 * sweep.c - see sweep.h.
 */
#include "api/sweep.h"

void bh_sweep(struct bh_call *call, uint32_t *granule, bh_sweep_fn *visit, void *arg)
{
	const struct bh_core *core = &call->heap->core;
	uint32_t block = bh_core_block_at(core, *granule), after;

	for (; block < core->end && !bh_call_is_full(call); block = after) {
		struct bh_map_neighbour next = bh_map_next_start(&core->map, block);

		/* A free next block is merged with this one when this one is freed. */
		after = next.used ? next.granule : bh_map_next(&core->map, next.granule);
		if (bh_map_is_used(&core->map, block))
			visit(call, block, next.granule - block, arg);
	}
	*granule = block;
}
