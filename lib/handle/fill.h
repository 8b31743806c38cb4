/* SPDX-License-Identifier: MIT */
/*
 * fill.h - in private heaps with BHEAP_GUARD freed memory is filled with a pattern, and looked at
 * again when it is handed out, when the block beside it is freed, and by the checker: who wrote to
 * it meanwhile is found. A bit for each granule tells that it was filled; what was never freed is
 * left alone. Where a free block is in a bin its links lie over the first half of its first
 * granule, and perhaps its size over the second. In heaps without the bits (heap->filled is NULL)
 * nothing is done.
 */
#ifndef BH_FILL_H
#define BH_FILL_H

#include "handle/call.h"

#define BH_FILL_BYTE 0xdb
/* How much of the front of a freed block is filled. */
#define BH_FILL_MAX ((uint32_t)4096) /* granules: 64 KiB */

/* Bytes for the bits of so many granules. */
size_t bh_fill_size(size_t granules);

/* Right before an operation: which free blocks are in no bin now. */
void bh_fill_watch(struct bh_call *call);

/* Before a block is freed or resized, next behind it: the free blocks it may be merged with. */
void bh_fill_meet(struct bh_call *call, uint32_t block, uint32_t next);

/* These granules were free when last watched, and are handed out now. */
void bh_fill_taken(struct bh_call *call, uint32_t from, uint32_t to);

/* These granules were live, and are part of a free block now. */
void bh_fill_freed(struct bh_call *call, uint32_t from, uint32_t to);

/* A live block that ended at old_end ends at new_end now: either of the two above, or neither. */
void bh_fill_resized(struct bh_call *call, uint32_t old_end, uint32_t new_end);

/* Before a block moves down over the free block in front of it, if that is one. */
void bh_fill_slides(struct bh_call *call, uint32_t block);

/* What was filled here is no longer known. */
void bh_fill_forget(const bheap_t *heap, uint32_t from, uint32_t to);

/* The first byte of a free block that was written to since, or NULL. */
const void *bh_fill_written(const bheap_t *heap, uint32_t block, uint32_t next);

#endif
