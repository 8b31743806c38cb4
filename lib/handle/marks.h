/* SPDX-License-Identifier: MIT */
/*
 * marks.h - what a guarded private heap remembers of its free memory, in bits after its handle: of
 * each granule, that it is filled; of each unit of 4 KiB, that it was decommitted since; of each
 * page, that it is closed. And how far the heap was ever open. Refuses to know pattern and pages.
 */
#ifndef BH_MARKS_H
#define BH_MARKS_H

#include "handle/handle.h"

/* Granules of a unit: no page is smaller, and each is a whole number of them. */
#define BH_MARKS_UNIT_SHIFT 8
#define BH_MARKS_UNIT ((uint32_t)1 << BH_MARKS_UNIT_SHIFT)

/* Bytes for the bits of so many granules; without those of the pages, and for these alone. */
size_t bh_marks_size(size_t granules);
size_t bh_marks_pages_size(size_t granules);

/* ---- filled ---- */

static inline bool bh_marks_is_filled(const bheap_t *heap, uint32_t granule)
{
	return heap->filled[granule >> 6] >> (granule & 63) & 1;
}

/*
 * Of 1 to 64 granules: where their bits are. The second word is there always, though perhaps none
 * of them is in it: bits of units follow.
 */
struct bh_marks_few {
	uint64_t *words, bits[2];
};

static inline struct bh_marks_few bh_marks_few(const bheap_t *heap, uint32_t from, uint32_t count)
{
	uint64_t bits = ~UINT64_C(0) >> (64 - count);

	BH_ASSERT(count - 1 < 64);
	return (struct bh_marks_few){&heap->filled[from >> 6],
				     {bits << (from & 63), bits >> 1 >> (~from & 63)}};
}

/* True if all are filled. */
static inline bool bh_marks_few_are_filled(struct bh_marks_few few)
{
	return !((~few.words[0] & few.bits[0]) | (~few.words[1] & few.bits[1]));
}

static inline void bh_marks_few_fill(struct bh_marks_few few)
{
	few.words[0] |= few.bits[0];
	few.words[1] |= few.bits[1];
}

/* Of granules that are all filled. */
static inline void bh_marks_few_clear(struct bh_marks_few few)
{
	BH_ASSERT(bh_marks_few_are_filled(few));
	few.words[0] ^= few.bits[0];
	few.words[1] ^= few.bits[1];
}

/* Of granules from ... to - 1; cleared are some. */
void bh_marks_fill(const bheap_t *heap, uint32_t from, uint32_t to);
void bh_marks_clear(const bheap_t *heap, uint32_t from, uint32_t to);

/* The first bit from ... to - 1 that is set, or is not; or to. */
uint32_t bh_marks_find_bit(const uint64_t *words, uint32_t from, uint32_t to, bool set);

/* The first granule from ... to - 1 that is filled, or to. */
static inline uint32_t bh_marks_find(const bheap_t *heap, uint32_t from, uint32_t to)
{
	return bh_marks_find_bit(heap->filled, from, to, true);
}

/* ---- decommitted ---- */

static inline uint32_t bh_marks_unit(uint32_t granule)
{
	return (granule - BH_FIRST) >> BH_MARKS_UNIT_SHIFT;
}

/* The bits of the units follow those of the granules. */
static inline uint64_t *bh_marks_units(const bheap_t *heap)
{
	return heap->filled + (heap->core.end >> 6) + 1;
}

/* True if the granule was decommitted since it was filled. */
static inline bool bh_marks_is_trimmed(const bheap_t *heap, uint32_t granule)
{
	uint32_t unit = bh_marks_unit(granule);

	return bh_marks_units(heap)[unit >> 6] >> (unit & 63) & 1;
}

void bh_marks_set_trimmed(const bheap_t *heap, uint32_t granule, bool trimmed);

/* The first granule of the unit of a granule, and that of the next. */
uint32_t bh_marks_unit_first(uint32_t granule);
uint32_t bh_marks_unit_end(const bheap_t *heap, uint32_t granule);

/* ---- closed ---- */

/*
 * Behind the bits of the units: no granule from this one on was ever in use, and their pages are
 * closed, whatever their bits say; or the end of the heap.
 */
static inline uint64_t *bh_marks_opened(const bheap_t *heap)
{
	return bh_marks_units(heap) + (bh_marks_unit(heap->core.end) >> 6) + 1;
}

/* The bits of the pages, by their number, follow. */
static inline uint64_t *bh_marks_pages(const bheap_t *heap)
{
	return bh_marks_opened(heap) + 1;
}

#endif
