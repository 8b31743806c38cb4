/* SPDX-License-Identifier: MIT */
/*
 * pages.c - closes and opens pages. A page whose bit is set is inaccessible; one that the system
 * would not close stays as it is.
 */
#include "handle/pages.h"

#include <errno.h>

#include "handle/marks.h"

static uint32_t page_granules(void)
{
	return (uint32_t)(bh_region_page() >> BH_GRANULE_SHIFT);
}

uint32_t bh_pages_first(uint32_t granule)
{
	return ((granule - BH_FIRST) & ~(page_granules() - 1)) + BH_FIRST;
}

uint32_t bh_pages_end(uint32_t granule)
{
	return bh_pages_first(granule) + page_granules();
}

static uint32_t page_of(uint32_t granule)
{
	return (granule - BH_FIRST) / page_granules();
}

static bool page_is_closed(const bheap_t *heap, uint32_t page)
{
	return bh_marks_pages(heap)[page >> 6] >> (page & 63) & 1;
}

bool bh_pages_is_closed(const bheap_t *heap, uint32_t granule)
{
	BH_ASSERT(granule - BH_FIRST < heap->core.bins.span);
	return heap->closes && page_is_closed(heap, page_of(granule));
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
	first = page_of(*from + page_granules() - 1);
	end = page_of(*to);
	if (first >= end)
		return false;
	if (!pages_protect(heap, first, end, true)) {
		/* Of a range of several mappings the first ones may be closed by now. */
		pages_protect(heap, first, end, false);
		return false;
	}
	*from = BH_FIRST + first * page_granules();
	*to = BH_FIRST + end * page_granules();
	return true;
}

/*
 * To open a part of what is closed may split a mapping, of which there may be too many: all of what
 * is closed around it needs none.
 */
static void run_open(const bheap_t *heap, uint32_t from, uint32_t to)
{
	uint32_t pages = page_of(heap->core.end);

	if (pages_protect(heap, from, to, false))
		return;
	while (from && page_is_closed(heap, from - 1))
		from--;
	while (to < pages && page_is_closed(heap, to))
		to++;
	pages_protect(heap, from, to, false);
}

/* The first page from ... to - 1 that is closed, or is not; or to. */
static uint32_t page_find(const bheap_t *heap, uint32_t from, uint32_t to, bool closed)
{
	uint64_t other = closed ? 0 : ~UINT64_C(0);

	while (from < to && page_is_closed(heap, from) != closed)
		from += !(from & 63) && bh_marks_pages(heap)[from >> 6] == other ? 64 : 1;
	return from < to ? from : to;
}

void bh_pages_open(const bheap_t *heap, uint32_t from, uint32_t to)
{
	uint32_t last;

	if (!heap->closes)
		return;
	last = page_of(to - 1) + 1;
	for (uint32_t page = page_find(heap, page_of(from), last, true), end; page < last;
	     page = page_find(heap, end, last, true)) {
		end = page_find(heap, page, last, false);
		run_open(heap, page, end);
	}
}

void bh_pages_open_all(const bheap_t *heap)
{
	if (heap->closes)
		pages_protect(heap, 0, page_of(heap->core.end), false);
}
