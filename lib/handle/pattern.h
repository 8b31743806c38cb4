/* SPDX-License-Identifier: MIT */
/*
 * pattern.h - the pattern in the freed memory of a guarded heap: written, with the bits of marks.h,
 * and verified. Memory that was decommitted since is to be zero. Refuses to know when.
 */
#ifndef BH_PATTERN_H
#define BH_PATTERN_H

#include "handle/handle.h"

#define BH_FILL_BYTE 0xdb

/* Granules from ... to - 1 are filled from now on. */
void bh_pattern_fill(const bheap_t *heap, uint32_t from, uint32_t to);

/* The second half of a granule whose first half is a node's links; the bit is the caller's. */
void bh_pattern_fill_half(const bheap_t *heap, uint32_t granule);

/*
 * The first byte of granules from ... to - 1 that is not as it was left, of those that are filled;
 * or NULL. linked: the first one is the node of a block in a bin.
 */
const void *bh_pattern_written(const bheap_t *heap, uint32_t from, uint32_t to, bool linked);

bool bh_pattern_is_zero(const bheap_t *heap, uint32_t granule);

#endif
