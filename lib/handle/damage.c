/* SPDX-License-Identifier: MIT */
/*
 * damage.c - damage of the index is reported and the index rebuilt from the map.
 */
#include "handle/damage.h"

#include "core/rebuild.h"

bool bh_damage_rebuild(struct bh_call *call)
{
	struct bh_core *core = &call->heap->core;
	uint32_t damaged = core->bins.damaged;

	if (!damaged)
		return false;
	/* An overwritten link may have led into the middle of a block. */
	damaged = bh_core_block_at(core, damaged);
	bh_call_note(call, BHEAP_FAULT_DAMAGED_INDEX, bh_core_address(core, damaged),
		     bh_bytes(bh_core_granules(core, damaged)),
		     "a free block was written to; rebuilt, nothing is lost");
	bh_rebuild(core);
	return true;
}
