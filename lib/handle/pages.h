/* SPDX-License-Identifier: MIT */
/*
 * pages.h - whole pages inside large freed blocks of guarded heaps with a mapping of their own are
 * closed, that is inaccessible, until they are handed out: a read or write after free is seen when
 * it happens. So is the end of the heap that was never in use, but for the next MiB or more. Keeps:
 * the first granule of a free block is in an open page, for a node. Refuses to know the pattern. In
 * other heaps (heap->closes is 0) no page is ever closed.
 */
#ifndef BH_PAGES_H
#define BH_PAGES_H

#include "handle/handle.h"

/* A freed block of so many granules has its pages closed: 128 KiB. Smaller ones are filled. */
#define BH_PAGES_MIN ((uint32_t)8192)

/* Of the granules of a page. */
uint8_t bh_pages_shift(void);

/* The first granule of the page that holds a granule, and that of the next page. */
uint32_t bh_pages_first(const bheap_t *heap, uint32_t granule);
uint32_t bh_pages_end(const bheap_t *heap, uint32_t granule);

/* True if a page that holds one of these granules, one at least, is closed; the page of a granule.
 */
bool bh_pages_are_closed(const bheap_t *heap, uint32_t from, uint32_t to);

static inline bool bh_pages_is_closed(const bheap_t *heap, uint32_t granule)
{
	return bh_pages_are_closed(heap, granule, granule + 1);
}

/*
 * Closes the whole pages among free granules, none of them the first of its block, and narrows the
 * range to these. False, and nothing done, if there are none or the system refuses.
 */
bool bh_pages_close(const bheap_t *heap, uint32_t *from, uint32_t *to);

/* Opens those pages, one at least of them closed, that hold these granules. Keeps errno. */
void bh_pages_open(const bheap_t *heap, uint32_t from, uint32_t to);

/*
 * Of a heap that is being made: closes what follows its first MiB, so that a stray access far
 * behind the blocks is seen when it happens. Not with BHEAP_REALTIME.
 */
void bh_pages_close_rest(const bheap_t *heap);

/* Before these granules are handed out: they are open, and the one behind them. False: cannot. */
bool bh_pages_open_rest(const bheap_t *heap, uint32_t to);

/* Opens all of the heap, whatever the bits say: those in the copy of a fork may be torn. */
void bh_pages_open_all(const bheap_t *heap);

#endif
