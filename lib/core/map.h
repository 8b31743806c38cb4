/* SPDX-License-Identifier: MIT */
/*
 * map.h - the block map: where blocks start and which are allocated, two bits a granule.
 *
 *   granule:  0 1 2 3 4 5 6 7 8 9 ...
 *   start:    1 0 0 1 1 0 0 0 0 1 ...    a block starts here
 *   used:     1 0 0 0 1 0 0 0 0 0 ...    ... and it is allocated
 *             |used |F|used     |free
 *
 * Start bits, and the used bits of starts, are the truth. A word without a start bit lies inside
 * one block; its used bits mean nothing, except that the first and the last such word of a block
 * hold a boundary tag: the words in which the block begins and ends. So a neighbour is at most two
 * words away.
 *
 *   word:     4            5        6         7        8            9
 *   start:    ...1..1..    0        0         0        ..1...1..    ...
 *   used:     ...0..1..    (4, 8)   whatever  (4, 8)   ..0...1..    ...
 *                   |used block ........................|free
 *
 * Every store is one 64-bit store after which the map is still a tiling; the callers order them.
 * The tags are derived. Refuses to know size classes and callers.
 */
#ifndef BH_MAP_H
#define BH_MAP_H

#include <stdbool.h>

#include "core/granule.h"

/* 64 granules. A cache line of map words covers 4 KiB of heap. */
struct bh_map_word {
	uint64_t start;
	uint64_t used;
};

/* The size of the largest blocks whose end is found in two words at once. */
#define BH_MAP_SMALL_GRANULES 64

struct bh_map {
	struct bh_map_word *words; /* one more before the first and after the last, both zero */
};

size_t bh_map_words(size_t granules);

/*
 * Writes the boundary tags of the block from begin to end, if a word lies between those of the two.
 */
void bh_map_tag(const struct bh_map *map, uint32_t begin, uint32_t end);

/* Splits the block from begin to end at a granule whose word has no start bit yet. */
void bh_map_split(const struct bh_map *map, uint32_t granule, uint32_t begin, uint32_t end);

/*
 * Frees all blocks that start before last and merges them with what lies behind, which is free or
 * nothing: from the first user granule to the sentinel at end all is one free block then. Words are
 * cleared in the order of addresses, so that no block grows meanwhile but the free one in front.
 */
void bh_map_clear(const struct bh_map *map, uint32_t last, uint32_t end);

/*
 * Start of the block that holds a granule: one step for each KiB of the block before the granule.
 */
uint32_t bh_map_block_at(const struct bh_map *map, uint32_t granule);

/*
 * The block after the one that starts at a granule, by start bits alone and no farther than end,
 * whatever the map holds meanwhile.
 */
uint32_t bh_map_next_untagged(const struct bh_map *map, uint32_t granule, uint32_t end);

/* Totals of a map, counted word by word without its tags. */
struct bh_map_account {
	uint64_t sum;      /* another one if any one word of the map were another */
	uint64_t live;     /* allocated blocks */
	uint32_t used;     /* granules in them */
	uint32_t unmerged; /* a free block after a free block, or 0 */
};

/* Words that are not looked at, from first to last - 1; none if both are 0. */
struct bh_map_gap {
	size_t first, last;
};

static inline size_t bh_map_gap_next(struct bh_map_gap gap, size_t word)
{
	return word + 1 == gap.first ? gap.last : word + 1;
}

/*
 * Of a map that ends with the sentinel at end, and begins with the one at granule 0. In a sound map
 * a gap inside one block changes nothing.
 */
void bh_map_account(const struct bh_map *map, uint32_t end, struct bh_map_gap gap,
		    struct bh_map_account *account);

#ifdef __has_feature
#define BH_HAS_FEATURE(name) __has_feature(name)
#else
#define BH_HAS_FEATURE(name) 0
#endif

/* The thread sanitizer takes no other stores for atomic, and does without their order. */
#if defined(__SANITIZE_THREAD__) || BH_HAS_FEATURE(thread_sanitizer)
#define BH_MAP_STORE(word, value) __atomic_store_n(word, value, __ATOMIC_RELAXED)
#define BH_MAP_LOAD(word) __atomic_load_n(word, __ATOMIC_RELAXED)
#else
#define BH_MAP_STORE(word, value) ((void)(*(volatile uint64_t *)(word) = (value)))
#define BH_MAP_LOAD(word) (*(const volatile uint64_t *)(word))
#endif

/*
 * A map store: never torn, never moved by the compiler across another one. A process killed at any
 * instruction has made the map stores before it and none after it. (Volatile orders these stores
 * among themselves only; derived state may be stored in any order.)
 */
static inline void bh_map_store(uint64_t *word, uint64_t value)
{
	BH_MAP_STORE(word, value);
}

/*
 * A word that another thread may be storing to meanwhile, for what only this thread can change of
 * it. Each half of it is stored whole on any machine, so these bits are as they were.
 */
static inline uint64_t bh_map_load(const uint64_t *word)
{
	return BH_MAP_LOAD(word);
}

static inline uint64_t bh_map_bit(uint32_t granule)
{
	return (uint64_t)1 << (granule & 63);
}

static inline bool bh_map_is_start(const struct bh_map *map, uint32_t granule)
{
	return map->words[granule >> 6].start >> (granule & 63) & 1;
}

/* True if the block that starts at the granule is allocated. */
static inline bool bh_map_is_used(const struct bh_map *map, uint32_t granule)
{
	return map->words[granule >> 6].used >> (granule & 63) & 1;
}

/* True if an allocated block starts at the granule, which may be any. */
static inline bool bh_map_is_live(const struct bh_map *map, uint32_t granule)
{
	const struct bh_map_word *word = &map->words[granule >> 6];

	return (word->start & word->used) >> (granule & 63) & 1;
}

/* True if a free block starts at the granule, which may be any. */
static inline bool bh_map_is_free(const struct bh_map *map, uint32_t granule)
{
	const struct bh_map_word *word = &map->words[granule >> 6];

	return (word->start & ~word->used) >> (granule & 63) & 1;
}

/*
 * Granules of the live block that starts at a granule, found without the lock of the heap; 0 if
 * none does, or if it has more than BH_MAP_SMALL_GRANULES. Two words are looked at as one: where
 * blocks of many sizes are freed, no processor foresees which of them cross from one word to the
 * next.
 */
static inline uint32_t bh_map_small_granules(const struct bh_map *map, uint32_t granule)
{
	const struct bh_map_word *word = &map->words[granule >> 6];
	unsigned bit = granule & 63;
	uint64_t starts = bh_map_load(&word->start), behind;

	if (BH_UNLIKELY(!((starts & bh_map_load(&word->used)) >> bit & 1)))
		return 0;
	behind = starts >> bit >> 1 | bh_map_load(&word[1].start) << (63 - bit);
	return BH_LIKELY(behind) ? 1 + bh_lowest_bit(behind) : 0;
}

/* Sets a start bit inside the block from begin to end, or the one at its end again. */
static inline void bh_map_set_start(const struct bh_map *map, uint32_t granule, uint32_t begin,
				    uint32_t end)
{
	uint64_t *word = &map->words[granule >> 6].start;
	uint64_t old = *word;

	BH_ASSERT(begin < granule && granule <= end);
	if (BH_LIKELY(old))
		bh_map_store(word, old | bh_map_bit(granule));
	else
		bh_map_split(map, granule, begin, end);
}

/*
 * Sets a start bit of a map that is being made: in a word without a start the used bits stay, which
 * may have been a tag. The caller knows that they are 0, or clears those without a start.
 */
static inline void bh_map_add_start(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].start;

	bh_map_store(word, *word | bh_map_bit(granule));
}

/*
 * Sets a start bit in a word that has a start already; false, and nothing done, where it has none.
 */
static inline bool bh_map_try_start(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].start;
	uint64_t old = *word;

	if (BH_UNLIKELY(!old))
		return false;
	bh_map_store(word, old | bh_map_bit(granule));
	return true;
}

/*
 * Clears the start bit of a free block. The caller calls bh_map_tag() next, unless it knows that
 * the word has another start.
 */
static inline void bh_map_clear_start(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].start;

	BH_ASSERT(bh_map_is_start(map, granule));
	BH_ASSERT(!bh_map_is_used(map, granule));
	bh_map_store(word, *word & ~bh_map_bit(granule));
}

/* Of a block that starts at the granule. */
static inline void bh_map_set_used(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].used;

	BH_ASSERT(bh_map_is_start(map, granule));
	bh_map_store(word, *word | bh_map_bit(granule));
}

/* Of an allocated block that starts at the granule. */
static inline void bh_map_clear_used(const struct bh_map *map, uint32_t granule)
{
	uint64_t *word = &map->words[granule >> 6].used;

	BH_ASSERT(bh_map_is_live(map, granule));
	bh_map_store(word, *word & ~bh_map_bit(granule));
}

/* ---- neighbours ---- */

static inline size_t bh_map_tag_begin(const struct bh_map_word *word)
{
	return (uint32_t)word->used;
}

static inline size_t bh_map_tag_end(const struct bh_map_word *word)
{
	return (size_t)(word->used >> 32);
}

/* The start of a neighbour, and its used bit. */
struct bh_map_neighbour {
	uint32_t granule;
	bool used;
};

/*
 * True if the last start in two words of the map, high after low, is that of a live block. free and
 * used have the starts of the two kinds: as one number, those that have the last start are more. No
 * search, and, where a machine has such numbers, no branch where a word begins
 * (doc/decisions.md, "Windows over two map words").
 */
#ifdef __SIZEOF_INT128__
static inline bool bh_map_last_is_used(uint64_t high_free, uint64_t high_used, uint64_t low_free,
				       uint64_t low_used)
{
	return ((unsigned __int128)high_free << 64 | low_free) <
	       ((unsigned __int128)high_used << 64 | low_used);
}
#else
static inline bool bh_map_last_is_used(uint64_t high_free, uint64_t high_used, uint64_t low_free,
				       uint64_t low_used)
{
	return high_free | high_used ? high_free < high_used : low_free < low_used;
}
#endif

/* The block after the one that starts at a granule; at the end of the heap, the sentinel. */
static inline struct bh_map_neighbour bh_map_next_start(const struct bh_map *map, uint32_t granule)
{
	size_t word = granule >> 6;
	uint64_t starts = map->words[word].start & -(bh_map_bit(granule) << 1);

	if (!starts) {
		word++;
		if (BH_UNLIKELY(!map->words[word].start))
			word = bh_map_tag_end(&map->words[word]);
		starts = map->words[word].start;
	}
	return (struct bh_map_neighbour){(uint32_t)(word << 6) | bh_lowest_bit(starts),
					 map->words[word].used >> bh_lowest_bit(starts) & 1};
}

/* The block before the one that starts at a granule; at the start of the heap, the sentinel. */
static inline struct bh_map_neighbour bh_map_previous_start(const struct bh_map *map,
							    uint32_t granule)
{
	size_t word = granule >> 6;
	uint64_t starts = map->words[word].start & (bh_map_bit(granule) - 1);

	if (!starts) {
		word--;
		if (BH_UNLIKELY(!map->words[word].start))
			word = bh_map_tag_begin(&map->words[word]);
		starts = map->words[word].start;
	}
	return (struct bh_map_neighbour){(uint32_t)(word << 6) | bh_highest_bit(starts),
					 map->words[word].used >> bh_highest_bit(starts) & 1};
}

static inline uint32_t bh_map_next(const struct bh_map *map, uint32_t granule)
{
	return bh_map_next_start(map, granule).granule;
}

/* The start of the next block if it is in the same or the next word, else 0. */
static inline uint32_t bh_map_next_close(const struct bh_map *map, uint32_t granule)
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
	return bh_map_previous_start(map, granule).granule;
}

#endif
