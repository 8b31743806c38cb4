/* SPDX-License-Identifier: MIT */
/*
 * fill.h - in private heaps with BHEAP_GUARD freed memory is filled with a pattern, which is
 * verified when the memory is handed out, by the checker, and (the first granule) when a neighbour
 * is freed or resized: a write after free is found. A bit for each granule tells that it is filled,
 * one for each unit of 4 KiB that it was decommitted since and is zero. In a bin, a free block's
 * links lie in the first half of its first granule, and perhaps its size in the second. In heaps
 * without the bits (heap->filled is NULL) nothing is done.
 */
#ifndef BH_FILL_H
#define BH_FILL_H

#include "handle/call.h"

/* How much of the start of a freed block is filled. */
#define BH_FILL_MAX ((uint32_t)4096) /* granules: 64 KiB */

/* Before an operation: remembers which free blocks are in no bin. */
void bh_fill_watch(struct bh_call *call);

/*
 * Before a block is freed or resized: verifies the first granule of free neighbours. next: the end
 * of the block.
 */
void bh_fill_meet(struct bh_call *call, uint32_t block, uint32_t next);

/* bh_core.prepare of heaps that close pages: the rest, which begins at to, may get a node. */
bool bh_fill_prepare(struct bh_core *core, uint32_t from, uint32_t to);

/* Verifies granules, one at least, that were free at bh_fill_watch() and are handed out now. */
void bh_fill_taken(struct bh_call *call, uint32_t from, uint32_t to);

/* Fills what the index does not use of the first granule of a free block. */
void bh_fill_first(const bheap_t *heap, uint32_t block);

/* Fills granules, one at least, that were live and are part of a free block now. */
void bh_fill_freed(struct bh_call *call, uint32_t from, uint32_t to);

/* After a live block that ended at old_end ends at new_end: verifies or fills the difference. */
void bh_fill_resized(struct bh_call *call, uint32_t old_end, uint32_t new_end);

/* Before a block slides down over the free block before it, which is to be forgotten then. */
void bh_fill_slides(struct bh_call *call, uint32_t block);

/* Forgets that these granules, one at least, are filled. */
void bh_fill_forget(const bheap_t *heap, uint32_t from, uint32_t to);

/*
 * After the whole pages of free granules were decommitted, all that the system let go: what was
 * filled there must stay zero.
 */
void bh_fill_trimmed(bheap_t *heap, uint32_t from, uint32_t to);

/*
 * The first byte of a free block, or of its first granules up to next, that was overwritten since
 * it was filled, or NULL.
 */
const void *bh_fill_written(const bheap_t *heap, uint32_t block, uint32_t next);

#endif
