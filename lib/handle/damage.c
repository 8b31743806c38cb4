/* SPDX-License-Identifier: MIT */
/*
 * damage.c - damage of the index is reported and the index rebuilt from the map.
 */
#include "handle/damage.h"

#include "core/rebuild.h"
#include "core/verify.h"

/*
 * True if the map can be rebuilt from: the operation that met the damage has changed nothing yet,
 * so the map is sound, and the counters agree with it, unless it was written to as well.
 */
static bool map_is_sound(struct bh_call *call)
{
	const struct bh_core *core = &call->heap->core;
	struct bh_verify_finding finding;

	if (bh_verify_map(core, &finding) && bh_verify_counters(core, &finding))
		return true;
	bh_call_note(call, BHEAP_FAULT_DAMAGED_MAP, NULL, 0,
		     "the index, too, which was not rebuilt");
	return false;
}

bool bh_damage_rebuild(struct bh_call *call)
{
	struct bh_core *core = &call->heap->core;
	uint32_t damaged = core->bins.damaged;

	if (!damaged || !map_is_sound(call))
		return false;
	/* An overwritten link may have led into the middle of a block. */
	damaged = bh_core_block_at(core, damaged);
	bh_call_note(call, BHEAP_FAULT_DAMAGED_INDEX, bh_core_address(core, damaged),
		     bh_bytes(bh_core_granules(core, damaged)), "a write to a free block; rebuilt");
	bh_rebuild(core);
	return true;
}
