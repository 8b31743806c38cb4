/* SPDX-License-Identifier: MIT */
/*
 * pattern.h - the pattern in the freed memory of a guarded heap: written, with the bits of marks.h,
 * and verified. Memory that was decommitted since is to be zero. Refuses to know when.
 */
#ifndef BH_PATTERN_H
#define BH_PATTERN_H

#include "handle/handle.h"

#define BH_FILL_BYTE 0xdb
#define BH_FILL_WORD (UINT64_C(0x0101010101010101) * BH_FILL_BYTE)

/* A granule at once, where the machine can; never a memset(), which AddressSanitizer watches. */
typedef uint64_t bh_pattern_granule __attribute__((may_alias, vector_size(BH_GRANULE)));

/* Stores the pattern to granules from ... to - 1; the bits are the caller's. */
BH_UNCHECKED
static inline void bh_pattern_store(const bheap_t *heap, uint32_t from, uint32_t to)
{
	const bh_pattern_granule pattern = {BH_FILL_WORD, BH_FILL_WORD};
	volatile bh_pattern_granule *at = bh_core_address(&heap->core, from);

	for (uint32_t fours = (to - from) >> 2; fours; fours--, at += 4) {
		at[0] = pattern;
		at[1] = pattern;
		at[2] = pattern;
		at[3] = pattern;
	}
	if ((to - from) & 1)
		*at++ = pattern;
	if ((to - from) & 2) {
		at[0] = pattern;
		at[1] = pattern;
	}
}

/* The same of the second half of a granule, whose first half is a node's links. */
BH_UNCHECKED
static inline void bh_pattern_store_half(const bheap_t *heap, uint32_t granule)
{
	((volatile uint64_t *)bh_core_address(&heap->core, granule))[1] = BH_FILL_WORD;
}

/* True if all of granules from ... to - 1 is this word. */
BH_UNCHECKED
static inline bool bh_pattern_holds(const bheap_t *heap, uint32_t from, uint32_t to, uint64_t word)
{
	const volatile bh_pattern_granule *at = bh_core_address(&heap->core, from);
	const bh_pattern_granule expected = {word, word};
	bh_pattern_granule differs = {0, 0};

	for (uint32_t fours = (to - from) >> 2; fours; fours--, at += 4)
		differs |= (at[0] ^ expected) | (at[1] ^ expected) | (at[2] ^ expected) |
			   (at[3] ^ expected);
	if ((to - from) & 1)
		differs |= *at++ ^ expected;
	if ((to - from) & 2)
		differs |= (at[0] ^ expected) | (at[1] ^ expected);
	return !(differs[0] | differs[1]);
}

/* True if a free block's first granule holds the pattern; linked: of a node, the second half. */
BH_UNCHECKED
static inline bool bh_pattern_holds_first(const bheap_t *heap, uint32_t block, bool linked)
{
	const volatile uint64_t *words = bh_core_address(&heap->core, block);

	return words[1] == BH_FILL_WORD && (linked || words[0] == BH_FILL_WORD);
}

/* Granules from ... to - 1 are filled from now on. */
void bh_pattern_fill(const bheap_t *heap, uint32_t from, uint32_t to);

/*
 * The first byte of granules from ... to - 1 that is not as it was left, of those that are filled;
 * or NULL. linked: the first one is the node of a block in a bin.
 */
const void *bh_pattern_written(const bheap_t *heap, uint32_t from, uint32_t to, bool linked);

bool bh_pattern_is_zero(const bheap_t *heap, uint32_t granule);

#endif
