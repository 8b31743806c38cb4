/* SPDX-License-Identifier: MIT */
/*
 * layout.c - divides a size between bookkeeping and granules.
 */
#include "core/layout.h"

static size_t control_size(uint32_t bins)
{
	size_t words = ((size_t)bins + 63) >> 6;

	return bh_round_up(offsetof(struct bh_control, bits.words) + words * sizeof(uint64_t),
			   BH_GRANULE);
}

void bh_layout_for_granules(struct bh_layout *layout, size_t granules, size_t lead, unsigned shift,
			    size_t page, size_t gap)
{
	size_t at = bh_round_up(lead, BH_GRANULE);
	size_t end = BH_FIRST + granules;

	BH_ASSERT(granules - 1 < BH_GRANULES_MAX && shift <= BH_BIN_SHIFT_MAX);
	BH_ASSERT(bh_is_power_of_two(page) && page >= BH_GRANULE && gap % page == 0);
	*layout = (struct bh_layout){.shift = shift, .span = (uint32_t)granules};
	layout->bins = bh_bins_count(granules, shift);
	BH_ASSERT(layout->bins <= BH_BIN_WORDS_MAX * 64);
	layout->control = at;
	at += control_size(layout->bins);
	layout->heads = at;
	at += bh_round_up(layout->bins * sizeof(uint32_t), BH_GRANULE);
	/*
	 * A zero word before and after the map, since neighbours are looked for one word farther.
	 */
	layout->map = at + sizeof(struct bh_map_word);
	at += (bh_map_words(end) + 2) * sizeof(struct bh_map_word);
	layout->granules = bh_round_up(at, page) + gap;
	layout->size = layout->granules + bh_bytes(granules);
}

/*
 * Bins as fine as about a twentieth of the size affords, a little more where it is very small.
 */
static unsigned shift_for_size(size_t size)
{
	size_t small = size / 8 < 512 ? size / 8 : 512;
	size_t limit = size / 24 > small ? size / 24 : small;
	unsigned shift = BH_BIN_SHIFT_MAX;

	while (shift && bh_bins_count(size >> BH_GRANULE_SHIFT, shift) * sizeof(uint32_t) > limit)
		shift--;
	return shift;
}

bool bh_layout_for_size(struct bh_layout *layout, size_t size, size_t lead)
{
	unsigned shift = shift_for_size(size);
	size_t granules = size >> BH_GRANULE_SHIFT;

	*layout = (struct bh_layout){.size = 0};
	if (granules > BH_GRANULES_MAX)
		granules = BH_GRANULES_MAX;
	while (granules) {
		size_t excess;

		bh_layout_for_granules(layout, granules, lead, shift, BH_GRANULE, 0);
		if (layout->size <= size)
			return true;
		/*
		 * Fewer granules need a smaller map, so 31/32 of the excess never overshoots.
		 */
		excess = (layout->size - size + BH_GRANULE - 1) >> BH_GRANULE_SHIFT;
		excess = excess > 64 ? excess - excess / 32 : 1;
		granules -= excess < granules ? excess : granules;
	}
	return false;
}
