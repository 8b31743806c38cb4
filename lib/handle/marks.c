/* SPDX-License-Identifier: MIT */
/*
 * marks.c - sets, clears and finds the bits.
 */
#include "handle/marks.h"

static size_t units_size(size_t granules)
{
	return bh_map_words(granules >> BH_MARKS_UNIT_SHIFT) * sizeof(uint64_t);
}

size_t bh_marks_size(size_t granules)
{
	return bh_map_words(BH_FIRST + granules) * sizeof(uint64_t) + units_size(granules);
}

/* No more than of the units, and where what is open ends. */
size_t bh_marks_pages_size(size_t granules)
{
	return sizeof(uint64_t) + units_size(granules);
}

/* The bits of one word that stand for granules from ... to - 1; the word holds some of them. */
static uint64_t word_mask(uint32_t word, uint32_t from, uint32_t to)
{
	uint64_t mask = ~UINT64_C(0);

	BH_ASSERT(from < to && from >> 6 <= word && word <= (to - 1) >> 6);
	if (word == from >> 6)
		mask &= ~UINT64_C(0) << (from & 63);
	if (word == (to - 1) >> 6)
		mask &= ~UINT64_C(0) >> (63 - ((to - 1) & 63));
	return mask;
}

void bh_marks_fill(const bheap_t *heap, uint32_t from, uint32_t to)
{
	for (uint32_t word = from >> 6; from < to && word <= (to - 1) >> 6; word++)
		heap->filled[word] |= word_mask(word, from, to);
}

/* Stores only where a bit is set: the words of a large heap were mostly never written. */
void bh_marks_clear(const bheap_t *heap, uint32_t from, uint32_t to)
{
	BH_ASSERT(from < to && to <= heap->core.end);
	for (uint32_t word = from >> 6; word <= (to - 1) >> 6; word++)
		if (heap->filled[word] & word_mask(word, from, to))
			heap->filled[word] &= ~word_mask(word, from, to);
}

uint32_t bh_marks_find_bit(const uint64_t *words, uint32_t from, uint32_t to, bool set)
{
	uint32_t word = from >> 6, last = (to - 1) >> 6;
	uint64_t flip = set ? 0 : ~UINT64_C(0), bits;

	if (from >= to)
		return to;
	bits = (words[word] ^ flip) & ~UINT64_C(0) << (from & 63);
	while (!bits && word < last)
		bits = words[++word] ^ flip;
	from = word << 6 | bh_lowest_bit(bits | UINT64_C(1) << 63);
	return bits && from < to ? from : to;
}

void bh_marks_set_trimmed(const bheap_t *heap, uint32_t granule, bool trimmed)
{
	uint32_t unit = bh_marks_unit(granule);

	if (bh_marks_is_trimmed(heap, granule) != trimmed)
		bh_marks_units(heap)[unit >> 6] ^= UINT64_C(1) << (unit & 63);
}

uint32_t bh_marks_unit_first(uint32_t granule)
{
	return (bh_marks_unit(granule) << BH_MARKS_UNIT_SHIFT) + BH_FIRST;
}

uint32_t bh_marks_unit_end(const bheap_t *heap, uint32_t granule)
{
	uint32_t first = bh_marks_unit_first(granule), left = heap->core.end - first;

	return first + (left < BH_MARKS_UNIT ? left : BH_MARKS_UNIT);
}
