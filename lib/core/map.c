/* SPDX-License-Identifier: MIT */
/*
 * map.c - boundary tags, written when a word gets its first start bit or loses its last.
 * A tag is stored after the last start bit of its word is cleared, and cleared before the first is
 * set: at no instruction can it be taken for used bits.
 */
#include "core/map.h"

size_t bh_map_words(size_t granules)
{
	return (granules >> 6) + 1;
}

void bh_map_tag(const struct bh_map *map, uint32_t begin, uint32_t end)
{
	size_t first = begin >> 6, last = end >> 6;
	uint64_t tag = (uint64_t)last << 32 | first;

	if (last - first < 2)
		return;
	bh_map_store(&map->words[first + 1].used, tag);
	bh_map_store(&map->words[last - 1].used, tag);
}

void bh_map_split(const struct bh_map *map, uint32_t granule, uint32_t begin, uint32_t end)
{
	size_t word = granule >> 6;

	bh_map_store(&map->words[word].used, 0);
	bh_map_store(&map->words[word].start, bh_map_bit(granule));
	bh_map_tag(map, begin, granule);
	bh_map_tag(map, granule, end);
}

uint32_t bh_map_block_at(const struct bh_map *map, uint32_t granule)
{
	size_t word = granule >> 6;
	uint64_t starts = map->words[word].start & ((bh_map_bit(granule) << 1) - 1);

	while (!starts)
		starts = map->words[--word].start;
	return (uint32_t)(word << 6) | bh_highest_bit(starts);
}
