/* SPDX-License-Identifier: MIT */
/*
 * reset.c - clears the map from its start to the last block. Above the top no word has a start bit,
 * so the part of the map that was never used is not touched.
 */
#include "core/reset.h"

#include "core/probe.h"

/* Where no live block starts any more: the top, or the end if the top is not as it should be. */
static uint32_t blocks_end(const struct bh_core *core)
{
	uint32_t top = core->control->top;

	if (top - BH_FIRST < core->bins.span && bh_map_is_free(&core->map, top) &&
	    bh_map_next(&core->map, top) == core->end)
		return top;
	return core->end;
}

/* In one piece, where words have 32 bits, too; in order with map stores. */
static void root_store(struct bh_control *control, uint64_t root)
{
	__atomic_store_n(&control->root, root, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void bh_reset(struct bh_core *core)
{
	struct bh_control *control = core->control;
	uint32_t end = blocks_end(core);

	root_store(control, BH_ROOT_RESET);
	bh_probe_reset(core);
	bh_map_clear(&core->map, end, core->end);
	bh_bins_clear(&core->bins);
	core->bins.damaged = 0;
	control->top = BH_FIRST;
	control->victim = 0;
	control->victim_granules = 0;
	control->used = 0;
	control->frees = control->allocations;
	root_store(control, 0);
}
