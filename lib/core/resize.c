/* SPDX-License-Identifier: MIT */
/*
 * resize.c - a block grows or shrinks in place, or slides down over the free block before it.
 */
#include "core/resize.h"

#include <string.h>

#include "core/index.h"

static enum bh_core_status block_shrink(struct bh_core *core, uint32_t block, uint32_t granules)
{
	uint32_t next = bh_map_next(&core->map, block);
	uint32_t rest = block + granules, end = next;
	uint32_t victim = core->control->victim;
	bool next_free = !bh_map_is_used(&core->map, next);

	BH_ASSERT(rest < next);
	if (next_free) {
		uint32_t size = bh_index_remove(core, next);

		if (!size)
			return BH_DAMAGED;
		end += size;
	}
	bh_map_set_start(&core->map, rest, block, next);
	if (next_free) {
		bh_map_clear_start(&core->map, next);
		bh_map_tag(&core->map, rest, end);
	}
	core->control->used -= next - rest;
	if (victim && next == victim) {
		core->control->victim = rest;
		core->control->victim_granules = end - rest;
	} else {
		bh_index_insert(core, rest, end - rest);
	}
	return BH_DONE;
}

static enum bh_core_status block_grow(struct bh_core *core, uint32_t block, uint32_t granules)
{
	struct bh_control *control = core->control;
	uint32_t next = bh_map_next(&core->map, block);
	uint32_t rest = block + granules, size;
	uint32_t victim = control->victim;

	BH_ASSERT(rest > next);
	if (bh_map_is_used(&core->map, next))
		return BH_NO_ROOM;
	size = bh_core_granules(core, next);
	if (next + size < rest || !bh_core_prepare(core, next, rest))
		return BH_NO_ROOM;
	if (!bh_index_remove(core, next))
		return BH_DAMAGED;
	/*
	 * The start of the rest first: a process killed here leaves the old size or the new one,
	 * never both blocks as one.
	 */
	if (rest < next + size)
		bh_map_set_start(&core->map, rest, next, next + size);
	bh_map_clear_start(&core->map, next);
	bh_map_tag(&core->map, block, rest);
	if (rest < next + size) {
		if (next == victim) {
			control->victim = rest;
			control->victim_granules = next + size - rest;
		} else {
			bh_index_insert(core, rest, next + size - rest);
		}
	}
	control->used += rest - next;
	if (control->peak < control->used)
		control->peak = control->used;
	return BH_DONE;
}

enum bh_core_status bh_resize_in_place(struct bh_core *core, uint32_t block, size_t granules)
{
	uint32_t have = bh_core_granules(core, block);

	BH_ASSERT(bh_core_is_live(core, block) && granules);
	if (granules == have)
		return BH_DONE;
	if (granules < have)
		return block_shrink(core, block, (uint32_t)granules);
	return granules <= core->bins.span ? block_grow(core, block, (uint32_t)granules)
					   : BH_NO_ROOM;
}

/* True if the index holds a free block correctly: removes it and inserts it again. */
static bool block_is_sound(struct bh_core *core, uint32_t block)
{
	uint32_t granules = bh_index_remove(core, block);

	if (granules)
		bh_index_insert(core, block, granules);
	return granules;
}

bool bh_resize_may_slide(const struct bh_core *core, uint32_t block, size_t granules)
{
	uint32_t previous = bh_index_previous_free(core, block);
	uint32_t next = bh_map_next(&core->map, block);

	BH_ASSERT(bh_core_is_live(core, block) && granules);
	if (!previous || granules > core->bins.span)
		return false;
	if (!bh_map_is_used(&core->map, next))
		next = bh_map_next(&core->map, next);
	return next - previous >= granules;
}

enum bh_core_status bh_resize_slide(struct bh_core *core, uint32_t *block, size_t granules,
				    size_t kept)
{
	uint32_t old = *block, have = bh_core_granules(core, old);
	uint32_t previous = bh_index_previous_free(core, old), next = old + have;
	enum bh_core_status status;

	BH_ASSERT(kept <= bh_bytes(have) && kept <= bh_bytes(granules));
	if (!bh_resize_may_slide(core, old, granules))
		return BH_NO_ROOM;
	/* Finds damage of either neighbour before anything moves. */
	if (!bh_map_is_used(&core->map, next) && !block_is_sound(core, next))
		return BH_DAMAGED;
	if (!bh_index_remove(core, previous))
		return BH_DAMAGED;
	/* Both become one block: its used bit first, then the start bit between is cleared. */
	bh_map_set_used(&core->map, previous);
	bh_map_clear_used(&core->map, old);
	bh_map_clear_start(&core->map, old);
	bh_map_tag(&core->map, previous, next);
	core->control->used += old - previous;
	memmove(bh_core_address(core, previous), bh_core_address(core, old), kept);
	*block = previous;
	status = bh_resize_in_place(core, previous, granules);
	/* Only now: for a moment the block had all of both. */
	if (core->control->peak < core->control->used)
		core->control->peak = core->control->used;
	return status;
}
