/* SPDX-License-Identifier: MIT */
/*
 * bins.h - the index of free blocks by size, derived from the map. A bin is a circular list; its
 * head is a granule below the first user granule, so that linking needs no test for an end.
 * Bins: exact sizes below 2^(shift+1) granules, then 2^shift linear classes a power of two.
 * Trusts no link: what it reads from a free block is checked before it is followed.
 * Refuses to know the operating system.
 */
#ifndef BH_BINS_H
#define BH_BINS_H

#include "annotate.h"
#include "map.h"

/* What a free block holds in its first granule, and a head in its own. */
struct bh_node {
	uint32_t next;
	uint32_t previous;
	uint32_t granules;
	uint32_t check; /* ~granules: a size that was written over is seen */
};
_Static_assert(sizeof(struct bh_node) == BH_GRANULE, "the smallest block is one granule");

#define BH_BIN_SHIFT_MAX 5
#define BH_BIN_WORDS_MAX 14 /* 64 exact bins and 26 powers of two of 32 */

/* The part of the index that lies in the heap's control block. */
struct bh_bin_bits {
	uint64_t summary;                /* a bit for each word below that is not zero */
	uint64_t words[BH_BIN_WORDS_MAX]; /* a bit for each bin that is not empty; as many as needed */
};

/* This process's view of the bins of a heap. */
struct bh_bins {
	char *base;             /* where granule 0 would be */
	struct bh_bin_bits *bits;
	uint32_t count;         /* heads: granules 0 ... count - 1 */
	uint32_t exact_limit;   /* sizes below have a bin of their own */
	uint32_t first;         /* the first user granule */
	uint32_t span;          /* user granules */
	uint32_t shift;
	uint32_t damaged;       /* the free block in which a check failed, or 0 */
};

/* The number of bins for blocks of up to so many granules. */
uint32_t bh_bins_count(size_t granules, unsigned shift);

/* Makes all bins empty. */
void bh_bins_clear(struct bh_bins *bins);

static inline struct bh_node *bh_node(const struct bh_bins *bins, uint32_t granule)
{
	return (struct bh_node *)(void *)(bins->base + bh_bytes(granule));
}

/* Whether a link may be followed at all: an inaccessible page lies between heads and blocks. */
static inline bool bh_link_is_valid(const struct bh_bins *bins, uint32_t link)
{
	return link - bins->first < bins->span || link < bins->count;
}

/* The bin of a size. Every block in a higher bin is larger than every one in a lower. */
static inline uint32_t bh_bin_of(const struct bh_bins *bins, uint32_t granules)
{
	unsigned scale;

	if (BH_LIKELY(granules < bins->exact_limit))
		return granules;
	scale = bh_highest_bit(granules) - bins->shift;
	return (scale << bins->shift) + (granules >> scale);
}

static inline void bh_bin_mark_empty(const struct bh_bins *bins, uint32_t bin)
{
	struct bh_bin_bits *bits = bins->bits;

	bits->words[bin >> 6] &= ~((uint64_t)1 << (bin & 63));
	if (!bits->words[bin >> 6])
		bits->summary &= ~((uint64_t)1 << (bin >> 6));
}

BH_UNCHECKED
static inline void bh_bin_link(const struct bh_bins *bins, uint32_t block, uint32_t granules)
{
	uint32_t bin = bh_bin_of(bins, granules);
	struct bh_node *head = bh_node(bins, bin);
	struct bh_node *node = bh_node(bins, block);
	uint32_t next = head->next;

	node->next = next;
	node->previous = bin;
	node->granules = granules;
	node->check = ~granules;
	bh_node(bins, next)->previous = block;
	head->next = block;
	bins->bits->words[bin >> 6] |= (uint64_t)1 << (bin & 63);
	bins->bits->summary |= (uint64_t)1 << (bin >> 6);
}

/* False, and nothing changed, when the neighbours do not point back. */
BH_UNCHECKED
static inline bool bh_bin_unlink(struct bh_bins *bins, uint32_t block)
{
	struct bh_node *node = bh_node(bins, block);
	uint32_t next = node->next, previous = node->previous;
	struct bh_node *after = bh_node(bins, next), *before = bh_node(bins, previous);

	if (BH_UNLIKELY(!bh_link_is_valid(bins, next) || !bh_link_is_valid(bins, previous) ||
			after->previous != block || before->next != block)) {
		bins->damaged = block;
		return false;
	}
	after->previous = previous;
	before->next = next;
	if (next == previous) /* only the head is left */
		bh_bin_mark_empty(bins, next);
	return true;
}

BH_UNCHECKED
static inline uint32_t bh_bin_first(const struct bh_bins *bins, uint32_t bin)
{
	return bh_node(bins, bin)->next;
}

/* The next block of a list, or a head (below count) at its end; 0, with damage noted, for a bad link. */
BH_UNCHECKED
static inline uint32_t bh_bin_following(struct bh_bins *bins, uint32_t block)
{
	uint32_t next = bh_node(bins, block)->next;

	if (BH_LIKELY(bh_link_is_valid(bins, next) && bh_node(bins, next)->previous == block))
		return next;
	bins->damaged = block;
	return 0;
}

/* The size a free block in a bin says it has; 0, with damage noted, where that cannot be. */
BH_UNCHECKED
static inline uint32_t bh_bin_granules(struct bh_bins *bins, const struct bh_map *map,
				       uint32_t block)
{
	const struct bh_node *node = bh_node(bins, block);
	uint32_t granules = node->granules;

	if (BH_LIKELY(granules == ~node->check && granules - 1 < bins->span &&
		      block - bins->first + granules <= bins->span &&
		      bh_map_is_start(map, block + granules)))
		return granules;
	bins->damaged = block;
	return 0;
}

/* The first bin from this one on that has a block, or 0. */
static inline uint32_t bh_bin_find(const struct bh_bins *bins, uint32_t bin)
{
	const struct bh_bin_bits *bits = bins->bits;
	uint32_t word = bin >> 6;
	uint64_t found;

	if (BH_UNLIKELY(bin >= bins->count))
		return 0;
	found = bits->words[word] & ~UINT64_C(0) << (bin & 63);
	if (!found) {
		uint64_t words = bits->summary & ~UINT64_C(1) << word;

		if (!words)
			return 0;
		word = bh_lowest_bit(words);
		found = bits->words[word];
	}
	return word << 6 | bh_lowest_bit(found);
}

#endif
