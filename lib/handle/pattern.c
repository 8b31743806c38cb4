/* SPDX-License-Identifier: MIT */
/*
 * pattern.c - two words of a granule at once, and volatile: memory that the tools forbid is read
 * and written.
 */
#include "handle/pattern.h"

#include "handle/marks.h"

static volatile uint64_t *granule_words(const bheap_t *heap, uint32_t granule)
{
	return bh_core_address(&heap->core, granule);
}

void bh_pattern_fill(const bheap_t *heap, uint32_t from, uint32_t to)
{
	BH_ASSERT(to <= heap->core.end);
	bh_pattern_store(heap, from, to);
	bh_marks_fill(heap, from, to);
}

BH_UNCHECKED
bool bh_pattern_is_zero(const bheap_t *heap, uint32_t granule)
{
	const volatile uint64_t *words = granule_words(heap, granule);

	return !(words[0] | words[1]);
}

/* The size that larger blocks in bins have in the second half of their first granule. */
BH_UNCHECKED
static bool has_size(const bheap_t *heap, uint32_t block)
{
	const struct bh_bin_node *node = bh_bin_node(&heap->core.bins, block);

	return node->granules == ~node->check;
}

BH_UNCHECKED
static const void *word_written(volatile uint64_t *word, uint64_t expected)
{
	const volatile unsigned char *byte = (const volatile unsigned char *)word;

	if (*word == expected)
		return NULL;
	while (*byte == (unsigned char)expected)
		byte++;
	return (const void *)byte;
}

static uint64_t pattern_of(const bheap_t *heap, uint32_t granule)
{
	return heap->trimmed && bh_marks_is_trimmed(heap, granule) ? 0 : BH_FILL_WORD;
}

/* The first byte of a filled granule that is not as it was left; linked: it is a node of a bin. */
static const void *granule_written(const bheap_t *heap, uint32_t granule, bool linked)
{
	volatile uint64_t *words = granule_words(heap, granule);
	uint64_t expected = pattern_of(heap, granule);
	const void *at = linked ? NULL : word_written(&words[0], expected);

	if (at || (linked && has_size(heap, granule)))
		return at;
	return word_written(&words[1], expected);
}

/* Of granules of one unit, all of them filled, and none a node. */
static const void *run_written(const bheap_t *heap, uint32_t from, uint32_t to)
{
	const void *at = NULL;

	if (bh_pattern_holds(heap, from, to, pattern_of(heap, from)))
		return NULL;
	for (uint32_t granule = from; granule < to && !at; granule++)
		at = granule_written(heap, granule, false);
	return at;
}

/*
 * The end of the run of filled granules, which are all decommitted, or all not; its begin, if that
 * is not filled.
 */
static uint32_t run_end(const bheap_t *heap, uint32_t run, uint32_t to)
{
	uint32_t end = heap->trimmed ? bh_marks_unit_end(heap, run) : to;

	return bh_marks_find_bit(heap->filled, run, end < to ? end : to, false);
}

const void *bh_pattern_written(const bheap_t *heap, uint32_t from, uint32_t to, bool linked)
{
	const void *at = NULL;

	if (linked && bh_marks_is_filled(heap, from))
		at = granule_written(heap, from, true);
	/* Mostly all of it is one run. */
	for (uint32_t run = from + linked, end; run < to && !at;
	     run = end < to ? bh_marks_find(heap, end, to) : to) {
		end = run_end(heap, run, to);
		at = run_written(heap, run, end);
	}
	return at;
}
