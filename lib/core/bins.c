/* SPDX-License-Identifier: MIT */
/*
 * bins.c - the number of bins, and bins made empty. The operations of every call are inline in
 * bins.h.
 */
#include "core/bins.h"

uint32_t bh_bins_count(size_t granules, unsigned shift)
{
	unsigned top = bh_highest_bit(granules | (size_t)1);

	BH_ASSERT(shift <= BH_BIN_SHIFT_MAX);
	/*
	 * Bins below 2^(shift+1) are exact; each further power of two has 2^shift. The largest size
	 * has scale top - shift, hence the last bin is below (top - shift + 2) << shift.
	 */
	if (top < shift)
		top = shift;
	return (top - shift + 2) << shift;
}

void bh_bins_clear(struct bh_bins *bins)
{
	BH_ASSERT(bins->count && bins->count <= BH_BIN_WORDS_MAX * 64);
	for (uint32_t bin = 0; bin < bins->count; bin++)
		bins->heads[bin] = 0;
	bins->bits->summary = 0;
	for (uint32_t word = 0; word <= (bins->count - 1) >> 6; word++)
		bins->bits->words[word] = 0;
}
