/* SPDX-License-Identifier: MIT */
/*
 * free.c - free out of line, for callers that have a frame already.
 */
#include "core/free.h"

#include "core/rebuild.h"

enum bh_core_status bh_free_block(struct bh_core *core, uint32_t block)
{
	return bh_free_far(core, block, bh_index_previous_free(core, block)) ? BH_DONE : BH_DAMAGED;
}

void bh_free_by_map(struct bh_core *core, uint32_t block)
{
	bh_map_clear_used(&core->map, block);
	bh_rebuild(core);
}
