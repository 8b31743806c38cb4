/* SPDX-License-Identifier: MIT */
/*
 * map.h - the block map: where blocks start and which are allocated, two bits a granule.
 * The map is the truth; its summary (which words have a start) is derived from it.
 *
 *   granule:  0 1 2 3 4 5 6 7 8 9 ...
 *   start:    1 0 0 1 1 0 0 0 0 1 ...    a block starts here
 *   used:     1 0 0 0 1 0 0 0 0 0 ...    ... and it is allocated
 *             |used |F|used     |free
 *
 * Every store to it is one 64-bit store after which the map is still a tiling; the callers order
 * them. Refuses to know sizes of classes and users.
 */
#ifndef BH_MAP_H
#define BH_MAP_H

#include <stdbool.h>

#include "granule.h"

/* 64 granules: one cache line of map words covers 4 KiB of heap. */
struct bh_map_word {
	uint64_t start;
	uint64_t used;
};

/* 2^32 granules are 2^26 words: 2^20, 2^14, 2^8, 4 and 1 summary words. */
#define BH_MAP_LEVELS 5

struct bh_map {
	struct bh_map_word *words; /* one in front of them and one behind exist and are zero */
	uint64_t *summary[BH_MAP_LEVELS]; /* summary[0]: a bit for each word with a start; and so on
					   */
};

size_t bh_map_words(size_t granules);

/* The number of words of each level, for so many granules; returns the number of levels. */
unsigned bh_map_levels(size_t granules, size_t counts[BH_MAP_LEVELS]);

/* The next start in a word behind that of granule, or the last in one before it. */
uint32_t bh_map_next_far(const struct bh_map *map, uint32_t granule);
uint32_t bh_map_previous_far(const struct bh_map *map, uint32_t granule);

/* A word has its first start, or has lost its last. */
void bh_map_summary_set(const struct bh_map *map, size_t word);
void bh_map_summary_clear(const struct bh_map *map, size_t word);

/*
 * A map store: never torn, never moved by the compiler across another one. A process killed at any
 * instruction has made the map stores before it and none after it. (Volatile orders these among
 * themselves and leaves the compiler free with all that is derived.)
 */
static inline void bh_map_store(uint64_t *word, uint64_t value)
{
	*(volatile uint64_t *)word = value;
}

static inline uint64_t bh_map_bit(uint32_t granule)
{
	return (uint64_t)1 << (granule & 63);
}

static inline bool bh_map_is_start(const struct bh_map *map, uint32_t granule)
{
	return map->words[granule >> 6].start >> (granule & 63) & 1;
}

static inline bool bh_map_is_used(const struct bh_map *map, uint32_t granule)
{
	return map->words[granule >> 6].used >> (granule & 63) & 1;
}

static inline void bh_map_set_start(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].start;
	uint64_t old = *word;

	bh_map_store(word, old | bh_map_bit(granule));
	if (BH_UNLIKELY(!old))
		bh_map_summary_set(map, granule >> 6);
}

/* The same where the caller knows that the word has a start already. */
static inline void bh_map_add_start(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].start;

	bh_map_store(word, *word | bh_map_bit(granule));
}

/* The same where the word has a start already; else false, and nothing done. */
static inline bool bh_map_try_start(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].start;
	uint64_t old = *word;

	if (BH_UNLIKELY(!old))
		return false;
	bh_map_store(word, old | bh_map_bit(granule));
	return true;
}

static inline void bh_map_clear_start(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].start;
	uint64_t left = *word & ~bh_map_bit(granule);

	bh_map_store(word, left);
	if (BH_UNLIKELY(!left))
		bh_map_summary_clear(map, granule >> 6);
}

/* The same where the caller knows that the word has another start. */
static inline void bh_map_drop_start(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].start;

	bh_map_store(word, *word & ~bh_map_bit(granule));
}

static inline void bh_map_set_used(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].used;

	bh_map_store(word, *word | bh_map_bit(granule));
}

static inline void bh_map_clear_used(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].used;

	bh_map_store(word, *word & ~bh_map_bit(granule));
}

/* A start found beside a granule, and whether its block is allocated. */
struct bh_map_side {
	uint32_t granule;
	bool used;
};

/* The first start behind granule: the sentinel at the end at the latest. */
static inline struct bh_map_side bh_map_after(const struct bh_map *map, uint32_t granule)
{
	const struct bh_map_word *word = &map->words[granule >> 6];
	uint64_t starts = word->start >> (granule & 63) >> 1;
	struct bh_map_side side;

	if (BH_LIKELY(starts)) {
		unsigned skip = bh_lowest_bit(starts);

		side.granule = granule + 1 + skip;
		side.used = word->used >> (granule & 63) >> 1 >> skip & 1;
	} else if (BH_LIKELY(word[1].start)) {
		unsigned bit = bh_lowest_bit(word[1].start);

		side.granule = (granule | 63) + 1 + bit;
		side.used = word[1].used >> bit & 1;
	} else {
		side.granule = bh_map_next_far(map, granule);
		side.used = bh_map_is_used(map, side.granule);
	}
	return side;
}

/* The last start before granule: the sentinel at the front at the earliest. */
static inline struct bh_map_side bh_map_before(const struct bh_map *map, uint32_t granule)
{
	const struct bh_map_word *word = &map->words[granule >> 6];
	uint64_t starts = word->start & (bh_map_bit(granule) - 1);
	uint32_t base = granule & ~UINT32_C(63);
	struct bh_map_side side;

	if (!starts) {
		word--;
		base -= 64;
		starts = word->start;
	}
	if (BH_LIKELY(starts)) {
		side.granule = base + bh_highest_bit(starts);
		side.used = word->used >> bh_highest_bit(starts) & 1;
	} else {
		side.granule = bh_map_previous_far(map, granule);
		side.used = bh_map_is_used(map, side.granule);
	}
	return side;
}

static inline uint32_t bh_map_next(const struct bh_map *map, uint32_t granule)
{
	return bh_map_after(map, granule).granule;
}

/* The same, or 0 where it is farther than in the next word. */
static inline uint32_t bh_map_next_near(const struct bh_map *map, uint32_t granule)
{
	const struct bh_map_word *word = &map->words[granule >> 6];
	uint32_t base = granule & ~UINT32_C(63);
	uint64_t starts = word->start & -(bh_map_bit(granule) << 1);

	if (!starts) {
		starts = word[1].start;
		base += 64;
	}
	return starts ? base + bh_lowest_bit(starts) : 0;
}

static inline uint32_t bh_map_previous(const struct bh_map *map, uint32_t granule)
{
	return bh_map_before(map, granule).granule;
}

#endif
