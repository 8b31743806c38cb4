/* SPDX-License-Identifier: MIT */
/*
 * bins.h - free blocks by size, derived from the map. A bin is a doubly linked list through the
 * first granule of its blocks; 0 ends it at either end. Bins: exact sizes below 2^(shift+1)
 * granules, then 2^shift linear classes a power of two. Trusts no link: it checks each one that it
 * reads from a free block before it follows it. Refuses to know the operating system.
 */
#ifndef BH_BINS_H
#define BH_BINS_H

#include "core/annotate.h"
#include "core/assert.h"
#include "core/map.h"

struct bh_bin_links {
	uint32_t next;
	uint32_t previous;
};

/* The first granule of a free block in a bin. */
struct bh_bin_node {
	struct bh_bin_links links;
	uint32_t granules; /* size of the block, in bins of more than one size only */
	uint32_t check;    /* ~granules, to detect that the size was overwritten */
};
_Static_assert(sizeof(struct bh_bin_node) == BH_GRANULE, "the smallest block is one granule");

#define BH_BIN_SHIFT_MAX 5
#define BH_BIN_WORDS_MAX 14 /* 64 exact bins and 26 powers of two of 32 */

/* The part of the bins that lies in the control block. */
struct bh_bin_bits {
	/* A bit for each word below, set at least if a bin of several sizes in it is not empty. */
	uint64_t summary;
	uint64_t words[BH_BIN_WORDS_MAX]; /* a bit for each bin that is not empty */
};

/* A process's view of the bins. */
struct bh_bins {
	char *base; /* where granule 0 would be */
	struct bh_bin_bits *bits;
	uint32_t *heads; /* the first block of each bin, or 0; there are no blocks of size 0 */
	uint32_t count;
	uint32_t exact_limit; /* sizes below have a bin of their own */
	uint32_t span;        /* user granules: 1 ... span */
	uint32_t shift;
	uintptr_t spare;  /* from base to one link before heads: see bh_bin_backlink() */
	uint32_t damaged; /* the free block in which a check failed, or 0 */
};

/* The number of bins for blocks of up to so many granules. shift: BH_BIN_SHIFT_MAX at most. */
uint32_t bh_bins_count(size_t granules, unsigned shift);

/* Makes all bins empty. */
void bh_bins_clear(struct bh_bins *bins);

static inline struct bh_bin_node *bh_bin_node(const struct bh_bins *bins, uint32_t granule)
{
	return (struct bh_bin_node *)(void *)(bins->base + bh_bytes(granule));
}

/* For assertions: true if so many granules, from one on, are user granules. */
static inline bool bh_bin_holds(const struct bh_bins *bins, uint32_t block, uint32_t granules)
{
	return (block - 1 < bins->span) & (granules - 1 < bins->span) &
	       (granules - 1 <= bins->span - block);
}

/* The bin of a size. Every block in a higher bin is larger than every one in a lower. */
static inline uint32_t bh_bin_of(const struct bh_bins *bins, uint32_t granules)
{
	unsigned scale;

	BH_ASSERT(granules - 1 < bins->span);
	if (BH_LIKELY(granules < bins->exact_limit))
		return granules;
	scale = bh_highest_bit(granules) - bins->shift;
	return (scale << bins->shift) + (granules >> scale);
}

/* Writes the size label of a block in a bin of more than one size; returns the bin. */
BH_UNCHECKED
static inline uint32_t bh_bin_label(const struct bh_bins *bins, struct bh_bin_node *node,
				    uint32_t granules)
{
	uint32_t bin = bh_bin_of(bins, granules);

	BH_ASSERT(granules >= bins->exact_limit);
	node->granules = granules;
	node->check = ~granules;
	return bin;
}

/*
 * Address of the successor's `previous` link; at the end of a list, of a dummy (the head of unused
 * bin 0). Branch-free, since list ends are unpredictable; the compiler makes a branch of ?:
 * (doc/decisions.md, "Links without branches").
 */
static inline uint32_t *bh_bin_backlink(const struct bh_bins *bins, uint32_t next)
{
	uintptr_t none =
		(uintptr_t)((intptr_t)((uintptr_t)next - 1) >> (BH_WORD_BITS - 1)) & bins->spare;

	/* By integers, since the heads lie before the base. */
	return (uint32_t *)((uintptr_t)bins->base + sizeof(uint32_t) + (none | bh_bytes(next)));
}

/* Inserts a free block that is in no bin; node: its first granule. */
BH_UNCHECKED
static inline void bh_bin_insert_node(struct bh_bins *bins, struct bh_bin_node *node,
				      uint32_t block, uint32_t granules)
{
	uint32_t bin = granules, next;

	BH_ASSERT(bh_bin_holds(bins, block, granules));
	BH_ASSERT(node == bh_bin_node(bins, block));
	if (BH_UNLIKELY(granules >= bins->exact_limit)) {
		bin = bh_bin_label(bins, node, granules);
		bins->bits->summary |= (uint64_t)1 << (bin >> 6);
		bins->bits->words[bin >> 6] |= (uint64_t)1 << (bin & 63);
	} else {
		bins->bits->words[0] |= (uint64_t)1 << bin;
	}
	next = bins->heads[bin];
	BH_ASSERT(next != block);
	bins->heads[bin] = block;
	node->links.next = next;
	node->links.previous = 0;
	*bh_bin_backlink(bins, next) = block;
}

static inline void bh_bin_insert(struct bh_bins *bins, uint32_t block, uint32_t granules)
{
	bh_bin_insert_node(bins, bh_bin_node(bins, block), block, granules);
}

/*
 * Takes a block out of its bin; false, and nothing changed, when its neighbours in the list do not
 * point back.
 */
BH_UNCHECKED
static inline bool bh_bin_remove(struct bh_bins *bins, uint32_t block, uint32_t granules)
{
	const struct bh_bin_node *node = bh_bin_node(bins, block);
	/* Two 32-bit loads: one 64-bit load of two recent 32-bit stores would stall. */
	uint32_t next = node->links.next, previous = node->links.previous;
	uint32_t bin = bh_bin_of(bins, granules);
	uint32_t *from, *back;

	BH_ASSERT(bh_bin_holds(bins, block, granules));
	if (BH_UNLIKELY((next > previous ? next : previous) > bins->span))
		goto damaged;
	from = previous ? &bh_bin_node(bins, previous)->links.next : &bins->heads[bin];
	bins->heads[0] = block;
	back = bh_bin_backlink(bins, next);
	if (BH_UNLIKELY(*from != block) || BH_UNLIKELY(*back != block))
		goto damaged;
	*back = previous;
	*from = next;
	bins->bits->words[bin >> 6] &= ~((uint64_t) !(next | previous) << (bin & 63));
	return true;
damaged:
	/* The one met first: what follows may be its consequence. */
	bins->damaged = bins->damaged ? bins->damaged : block;
	return false;
}

static inline uint32_t bh_bin_first(const struct bh_bins *bins, uint32_t bin)
{
	BH_ASSERT(bin - 1 < bins->count - 1);
	return bins->heads[bin];
}

/*
 * Removes the first block of a bin of one size. False, and nothing changed, when the next does not
 * point back; that nothing points to a block before the first is not checked.
 */
BH_UNCHECKED
static inline bool bh_bin_pop(struct bh_bins *bins, uint32_t block, uint32_t bin)
{
	uint32_t next = bh_bin_node(bins, block)->links.next;
	uint32_t *back = bh_bin_backlink(bins, next);

	BH_ASSERT(bin < bins->exact_limit && bh_bin_holds(bins, block, bin));
	BH_ASSERT(block == bins->heads[bin]);
	if (BH_UNLIKELY(next > bins->span))
		return false;
	bins->heads[0] = block;
	if (BH_UNLIKELY(*back != block))
		return false;
	*back = 0;
	bins->bits->words[0] &= ~((uint64_t)!next << bin);
	bins->heads[bin] = next;
	return true;
}

/* True if the first block of a bin, which is not empty, has no `previous` link. */
BH_UNCHECKED
static inline bool bh_bin_first_is_sound(const struct bh_bins *bins, uint32_t bin)
{
	BH_ASSERT(bins->heads[bin]);
	return !bh_bin_node(bins, bins->heads[bin])->links.previous;
}

/* The next block of a list; 0 at its end, or, with damage noted, for a bad link. */
BH_UNCHECKED
static inline uint32_t bh_bin_next(struct bh_bins *bins, uint32_t block)
{
	uint32_t next = bh_bin_node(bins, block)->links.next;

	BH_ASSERT(bh_bin_holds(bins, block, 1));
	if (BH_LIKELY(!next ||
		      (next <= bins->span && bh_bin_node(bins, next)->links.previous == block)))
		return next;
	bins->damaged = block;
	return 0;
}

/*
 * The size label of a free block in a bin of more than one size; 0, with damage noted, where it
 * cannot be true.
 */
BH_UNCHECKED
static inline uint32_t bh_bin_granules(struct bh_bins *bins, const struct bh_map *map,
				       uint32_t block)
{
	const struct bh_bin_node *node = bh_bin_node(bins, block);
	uint32_t granules = node->granules;

	BH_ASSERT(bh_bin_holds(bins, block, 1));
	if (BH_LIKELY(granules == ~node->check && granules - 1 < bins->span &&
		      block - 1 + granules <= bins->span && bh_map_is_start(map, block + granules)))
		return granules;
	bins->damaged = block;
	return 0;
}

/* The first bin from this one on that is not empty, or 0. */
static inline uint32_t bh_bin_find(const struct bh_bins *bins, uint32_t bin)
{
	struct bh_bin_bits *bits = bins->bits;
	uint32_t word = bin >> 6;
	uint64_t found;

	if (BH_UNLIKELY(bin >= bins->count))
		return 0;
	found = bits->words[word] & ~UINT64_C(0) << (bin & 63);
	while (!found) {
		uint64_t larger;

		bits->summary &= ~((uint64_t)!bits->words[word] << word);
		larger = bits->summary & ~UINT64_C(1) << word;
		if (!larger)
			return 0;
		word = bh_lowest_bit(larger);
		found = bits->words[word];
	}
	return word << 6 | bh_lowest_bit(found);
}

#endif
