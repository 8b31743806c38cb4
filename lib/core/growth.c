/* SPDX-License-Identifier: MIT */
/*
 * growth.c - see growth.h. Another thread may look at a live block meanwhile: what it reads of the
 * map, the block's own start and the next one, stays as it is.
 */
#include "core/growth.h"

#include <string.h>

static void sentinel_set(const struct bh_map *map, uint32_t granule)
{
	bh_map_add_start(map, granule);
	bh_map_set_used(map, granule);
}

static void end_set(struct bh_core *core, uint32_t span)
{
	core->end = BH_FIRST + span;
	__atomic_store_n(&core->bins.span, span, __ATOMIC_RELAXED);
	bh_map_tag(&core->map, core->control->top, core->end);
}

/* A top that there is none of begins where the heap ends: the old sentinel becomes it. */
void bh_growth_extend(struct bh_core *core, uint32_t span)
{
	uint32_t old = core->end;

	BH_ASSERT(span >= core->bins.span + 64 && span <= BH_GRANULES_MAX);
	BH_ASSERT(core->control->top <= old);
	sentinel_set(&core->map, BH_FIRST + span);
	bh_map_clear_used(&core->map, old);
	if (core->control->top != old)
		bh_map_clear_start(&core->map, old);
	end_set(core, span);
}

void bh_growth_shorten(struct bh_core *core, uint32_t span, size_t words)
{
	size_t last = bh_map_words(BH_FIRST + span) - 1;

	BH_ASSERT(span < core->bins.span && core->control->top < BH_FIRST + span);
	BH_ASSERT(last < words);
	sentinel_set(&core->map, BH_FIRST + span);
	if (last == core->end >> 6)
		core->map.words[last].start &= (bh_map_bit(BH_FIRST + span) << 1) - 1;
	core->map.words[last].used &= core->map.words[last].start;
	memset(&core->map.words[last + 1], 0, (words - last - 1) * sizeof(struct bh_map_word));
	end_set(core, span);
}
