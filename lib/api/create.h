/* SPDX-License-Identifier: MIT */
/*
 * create.h - private heaps made and ended, under hidden names.
 */
#ifndef BH_CREATE_H
#define BH_CREATE_H

#include "handle/handle.h"

/* A private heap; NULL with errno. */
bheap_t *bh_create(size_t size, unsigned flags);

/* Granules of a heap of size bytes: whole pages, within what a heap can have. */
size_t bh_create_granules(size_t size);

/* Turns zeroed memory of this layout into a heap, with its handle first; NULL with errno. */
bheap_t *bh_create_handle(char *start, const struct bh_layout *layout,
			  const struct bh_region *region, unsigned flags);

/* Ends a heap of any kind, the default one too. */
int bh_destroy(bheap_t *heap);

#endif
