/* SPDX-License-Identifier: MIT */
/*
 * resize.h - a block made larger or smaller where it is, or moved down over the free block before
 * it.
 */
#ifndef BH_RESIZE_H
#define BH_RESIZE_H

#include "core/core.h"

/* Resizes an allocated block in place; or BH_NO_ROOM. granules: not 0. */
enum bh_core_status bh_resize_in_place(struct bh_core *core, uint32_t block, size_t granules);

/*
 * Grows a block into the free block before it (and after it). The content, kept bytes, moves down;
 * killed on the way the content is torn, so only for heaps that die with the process.
 */
enum bh_core_status bh_resize_slide(struct bh_core *core, uint32_t *block, size_t granules,
				    size_t kept);

/*
 * True if the free previous block, the block and a free next block have this many granules
 * together.
 */
bool bh_resize_may_slide(const struct bh_core *core, uint32_t block, size_t granules);

#endif
