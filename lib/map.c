/* SPDX-License-Identifier: MIT */
/*
 * map.c - the summary of the block map: finds the next and the previous start across large blocks
 * in a number of steps bounded by the levels, and follows the words that fill and empty.
 * Keeps: a bit of summary[n] is set exactly if the word below it is not zero.
 */
#include "map.h"

size_t bh_map_words(size_t granules)
{
	return (granules >> 6) + 1;
}

unsigned bh_map_levels(size_t granules, size_t counts[BH_MAP_LEVELS])
{
	size_t count = bh_map_words(granules);
	unsigned levels = 0;

	do {
		count = (count + 63) >> 6;
		counts[levels++] = count;
	} while (count > 1);
	return levels;
}

uint32_t bh_map_next_far(const struct bh_map *map, uint32_t granule)
{
	size_t position = granule >> 6;
	unsigned level = 0;
	uint64_t bits;

	/* Up, until a word has something behind our position; the sentinel at the end ends this. */
	while (!(bits = map->summary[level][position >> 6] & ~UINT64_C(1) << (position & 63))) {
		position >>= 6;
		level++;
	}
	position = (position & ~(size_t)63) | bh_lowest_bit(bits);
	while (level--)
		position = position << 6 | bh_lowest_bit(map->summary[level][position]);
	return (uint32_t)(position << 6 | bh_lowest_bit(map->words[position].start));
}

uint32_t bh_map_previous_far(const struct bh_map *map, uint32_t granule)
{
	size_t position = granule >> 6;
	unsigned level = 0;
	uint64_t bits;

	while (!(bits = map->summary[level][position >> 6] &
			(((uint64_t)1 << (position & 63)) - 1))) {
		position >>= 6;
		level++;
	}
	position = (position & ~(size_t)63) | bh_highest_bit(bits);
	while (level--)
		position = position << 6 | bh_highest_bit(map->summary[level][position]);
	return (uint32_t)(position << 6 | bh_highest_bit(map->words[position].start));
}

void bh_map_summary_set(const struct bh_map *map, size_t word)
{
	for (unsigned level = 0; level < BH_MAP_LEVELS && map->summary[level]; level++) {
		uint64_t *bits = &map->summary[level][word >> 6];
		uint64_t old = *bits;

		*bits = old | (uint64_t)1 << (word & 63);
		if (old)
			break;
		word >>= 6;
	}
}

void bh_map_summary_clear(const struct bh_map *map, size_t word)
{
	for (unsigned level = 0; level < BH_MAP_LEVELS && map->summary[level]; level++) {
		uint64_t *bits = &map->summary[level][word >> 6];

		*bits &= ~((uint64_t)1 << (word & 63));
		if (*bits)
			break;
		word >>= 6;
	}
}
