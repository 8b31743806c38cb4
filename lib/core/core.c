/* SPDX-License-Identifier: MIT */
/*
 * core.c - the view of a region, and a region with zeroed bookkeeping made one free block.
 */
#include "core/core.h"

void bh_core_view(struct bh_core *core, char *region, const struct bh_layout *layout)
{
	struct bh_control *control = (struct bh_control *)(void *)(region + layout->control);

	BH_ASSERT((uintptr_t)region % BH_GRANULE == 0);
	*core = (struct bh_core){
		.bins = {.base = region + layout->granules - bh_bytes(BH_FIRST),
			 .bits = &control->bits,
			 .heads = (uint32_t *)(void *)(region + layout->heads),
			 .count = layout->bins,
			 .exact_limit = UINT32_C(2) << layout->shift,
			 .span = layout->span,
			 .shift = layout->shift},
		.map.words = (struct bh_map_word *)(void *)(region + layout->map),
		.control = control,
		.end = BH_FIRST + layout->span,
	};
	core->bins.spare =
		(uintptr_t)((char *)core->bins.heads - core->bins.base) - sizeof(uint32_t);
}

void bh_core_set_sentinels(struct bh_core *core)
{
	uint32_t before = BH_FIRST - 1;

	bh_map_add_start(&core->map, before);
	bh_map_set_used(&core->map, before);
	bh_map_add_start(&core->map, core->end);
	bh_map_set_used(&core->map, core->end);
	bh_map_add_start(&core->map, BH_FIRST);
}

void bh_core_format(struct bh_core *core)
{
	BH_ASSERT(!core->control->top && !core->control->used);
	BH_ASSERT(!core->map.words[0].start && !core->map.words[core->end >> 6].used);
	bh_bins_clear(&core->bins);
	bh_core_set_sentinels(core);
	bh_map_tag(&core->map, BH_FIRST, core->end);
	core->control->top = BH_FIRST;
}
