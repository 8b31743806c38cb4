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

	BH_ASSERT(first <= last);
	if (last - first < 2)
		return;
	bh_map_store(&map->words[first + 1].used, tag);
	bh_map_store(&map->words[last - 1].used, tag);
}

void bh_map_split(const struct bh_map *map, uint32_t granule, uint32_t begin, uint32_t end)
{
	size_t word = granule >> 6;

	BH_ASSERT(begin < granule && granule < end);
	BH_ASSERT(!map->words[word].start);
	bh_map_store(&map->words[word].used, 0);
	bh_map_store(&map->words[word].start, bh_map_bit(granule));
	bh_map_tag(map, begin, granule);
	bh_map_tag(map, granule, end);
}

/* Clears all of a word but for these start bits and used bits; stores only what changes. */
static void word_clear(struct bh_map_word *word, uint64_t starts, uint64_t used)
{
	if (word->used & ~used)
		bh_map_store(&word->used, word->used & used);
	if (word->start & ~starts)
		bh_map_store(&word->start, word->start & starts);
}

void bh_map_clear(const struct bh_map *map, uint32_t last, uint32_t end)
{
	uint64_t sentinels[] = {bh_map_bit(0), bh_map_bit(end)};

	BH_ASSERT(last <= end && bh_map_is_start(map, 1));
	for (uint32_t word = 0; word <= last >> 6; word++) {
		uint64_t used =
			(word == 0 ? sentinels[0] : 0) | (word == end >> 6 ? sentinels[1] : 0);

		word_clear(&map->words[word], used | (word == 0 ? bh_map_bit(1) : 0), used);
	}
	bh_map_tag(map, 1, end);
}

uint32_t bh_map_block_at(const struct bh_map *map, uint32_t granule)
{
	size_t word = granule >> 6;
	uint64_t starts = map->words[word].start & ((bh_map_bit(granule) << 1) - 1);

	while (!starts)
		starts = map->words[--word].start;
	return (uint32_t)(word << 6) | bh_highest_bit(starts);
}

/* Read once, for they may change. */
static uint64_t start_bits(const struct bh_map *map, size_t word)
{
	return __atomic_load_n(&map->words[word].start, __ATOMIC_RELAXED);
}

uint32_t bh_map_next_untagged(const struct bh_map *map, uint32_t granule, uint32_t end)
{
	size_t word = granule >> 6;
	uint64_t starts = start_bits(map, word) & -(bh_map_bit(granule) << 1);
	uint32_t next;

	BH_ASSERT(granule < end);
	while (!starts && word < end >> 6)
		starts = start_bits(map, ++word);
	next = starts ? (uint32_t)(word << 6) | bh_lowest_bit(starts) : end;
	return next < end ? next : end;
}

/* ---- the account ---- */

/* For a given sum no two words have the same result, and for a given word no two sums. */
static uint64_t sum_add(uint64_t sum, uint64_t word)
{
	sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return sum ^ sum >> 32;
}

/* The block that began last, as the next start is met. */
struct open_block {
	uint32_t start;
	bool used, is_behind_free;
};

static void block_account(struct bh_map_account *account, const struct open_block *block,
			  uint32_t end)
{
	if (block->used) {
		account->live++;
		account->used += end - block->start;
	} else if (block->is_behind_free) {
		account->unmerged = block->start;
	}
}

static void word_account(struct bh_map_account *account, struct open_block *block, uint32_t base,
			 uint64_t starts, uint64_t used)
{
	for (; starts; starts &= starts - 1) {
		uint32_t granule = base | bh_lowest_bit(starts);

		block_account(account, block, granule);
		block->is_behind_free = !block->used;
		block->start = granule;
		block->used = used >> (granule & 63) & 1;
	}
}

void bh_map_account(const struct bh_map *map, uint32_t end, struct bh_map_gap gap,
		    struct bh_map_account *account)
{
	size_t words = bh_map_words(end);
	struct open_block block = {.used = true};

	*account = (struct bh_map_account){0};
	for (size_t word = 0; word < words; word = bh_map_gap_next(gap, word)) {
		uint64_t starts = map->words[word].start, used = map->words[word].used & starts;

		if (!starts)
			continue;
		account->sum = sum_add(sum_add(sum_add(account->sum, word), starts), used);
		word_account(account, &block, (uint32_t)(word << 6), starts, used);
	}
	/*
	 * Not counted: the start of the search, and the sentinel before the blocks, of one granule.
	 */
	account->live -= 2;
	account->used--;
}
