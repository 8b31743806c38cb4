/* SPDX-License-Identifier: MIT */
/*
 * pages.c - closes and opens pages. A page whose bit is set is inaccessible; one that the system
 * would not close stays as it is.
 */
#include "handle/pages.h"

#include <errno.h>

#include "handle/marks.h"

uint8_t bh_pages_shift(void)
{
	return (uint8_t)bh_highest_bit(bh_region_page() >> BH_GRANULE_SHIFT);
}

static uint32_t page_granules(const bheap_t *heap)
{
	return UINT32_C(1) << heap->closes;
}

static uint32_t page_of(const bheap_t *heap, uint32_t granule)
{
	return (granule - BH_FIRST) >> heap->closes;
}

uint32_t bh_pages_first(const bheap_t *heap, uint32_t granule)
{
	return (page_of(heap, granule) << heap->closes) + BH_FIRST;
}

uint32_t bh_pages_end(const bheap_t *heap, uint32_t granule)
{
	return bh_pages_first(heap, granule) + page_granules(heap);
}

static bool page_is_closed(const bheap_t *heap, uint32_t page)
{
	return bh_marks_pages(heap)[page >> 6] >> (page & 63) & 1;
}

/* The first page from ... to - 1 that is closed, or is not; or to. */
static uint32_t page_find(const bheap_t *heap, uint32_t from, uint32_t to, bool closed)
{
	return bh_marks_find_bit(bh_marks_pages(heap), from, to, closed);
}

bool bh_pages_are_closed(const bheap_t *heap, uint32_t from, uint32_t to)
{
	uint32_t end;

	BH_ASSERT(from < to && to <= heap->core.end);
	if (!heap->closes)
		return false;
	end = page_of(heap, to - 1) + 1;
	return page_find(heap, page_of(heap, from), end, true) < end;
}

/* Pages from ... to - 1. */
static bool pages_protect(const bheap_t *heap, uint32_t from, uint32_t to, bool closed)
{
	size_t page = bh_region_page();
	char *start = bh_core_start(&heap->core) + from * page;
	int saved = errno;
	bool done = !bh_region_protect(start, (to - from) * page, !closed);

	errno = saved;
	for (uint32_t at = from; done && at < to; at++)
		if (page_is_closed(heap, at) != closed)
			bh_marks_pages(heap)[at >> 6] ^= UINT64_C(1) << (at & 63);
	return done;
}

bool bh_pages_close(const bheap_t *heap, uint32_t *from, uint32_t *to)
{
	uint32_t first, end;

	if (!heap->closes)
		return false;
	first = page_of(heap, *from + page_granules(heap) - 1);
	end = page_of(heap, *to);
	if (first >= end)
		return false;
	if (!pages_protect(heap, first, end, true)) {
		/* Of a range of several mappings the first ones may be closed by now. */
		pages_protect(heap, first, end, false);
		return false;
	}
	*from = BH_FIRST + first * page_granules(heap);
	*to = BH_FIRST + end * page_granules(heap);
	return true;
}

/*
 * To open a part of what is closed may split a mapping, of which there may be too many: all of what
 * is closed around it needs none.
 */
static void run_open(const bheap_t *heap, uint32_t from, uint32_t to)
{
	uint32_t pages = page_of(heap, heap->core.end);

	if (pages_protect(heap, from, to, false))
		return;
	while (from && page_is_closed(heap, from - 1))
		from--;
	while (to < pages && page_is_closed(heap, to))
		to++;
	pages_protect(heap, from, to, false);
}

void bh_pages_open(const bheap_t *heap, uint32_t from, uint32_t to)
{
	uint32_t last = page_of(heap, to - 1) + 1;

	BH_ASSERT(heap->closes);
	for (uint32_t page = page_find(heap, page_of(heap, from), last, true), end; page < last;
	     page = page_find(heap, end, last, true)) {
		end = page_find(heap, page, last, false);
		run_open(heap, page, end);
	}
}

void bh_pages_open_all(const bheap_t *heap)
{
	if (!heap->closes)
		return;
	pages_protect(heap, 0, page_of(heap, heap->core.end), false);
	*bh_marks_opened(heap) = heap->core.end;
}

/* ---- what was never in use ---- */

/* A system call opens so many granules, or an eighth of what is open. */
#define REST_STEP (UINT32_C(1) << (20 - BH_GRANULE_SHIFT))
#define REST_SHARE 8

/* Of granules from ... to - 1, which fill pages. */
static bool rest_protect(const bheap_t *heap, uint32_t from, uint32_t to, bool accessible)
{
	char *start = bh_core_address(&heap->core, from);
	int saved = errno;
	bool done = !bh_region_protect(start, bh_bytes(to - from), accessible);

	errno = saved;
	return done;
}

void bh_pages_close_rest(const bheap_t *heap)
{
	uint32_t end = heap->core.end, from = BH_FIRST + REST_STEP;

	BH_ASSERT(heap->closes);
	*bh_marks_opened(heap) = end;
	/* To open it takes a system call, which is no part of a bounded time. */
	if (from < end && !heap->core.realtime && rest_protect(heap, from, end, false))
		*bh_marks_opened(heap) = from;
}

bool bh_pages_open_rest(const bheap_t *heap, uint32_t to)
{
	uint32_t end = heap->core.end, opened = (uint32_t)*bh_marks_opened(heap);
	uint32_t step = (to - BH_FIRST) / REST_SHARE;

	BH_ASSERT(heap->closes && to <= end);
	if (BH_LIKELY(to < opened) || opened == end)
		return true;
	step = step < REST_STEP ? REST_STEP : step;
	if (step < end - to)
		end = bh_pages_first(heap, to + step);
	if (!rest_protect(heap, opened, end, true))
		return false;
	*bh_marks_opened(heap) = end;
	return true;
}
