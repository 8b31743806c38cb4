/* SPDX-License-Identifier: MIT */
/*
 * walk.h - goes through the blocks in address order; reads only.
 */
#ifndef BH_WALK_H
#define BH_WALK_H

#include "handle/enter.h"

/* For entered calls. The first value of the callback that is not 0, else 0. */
int bh_walk_blocks(const bheap_t *heap, bheap_walk_fn *callback, void *arg);

/* The start of the block after this one; also where a heap cannot be locked. */
uint32_t bh_walk_next(const bheap_t *heap, uint32_t block);

/*
 * Cleanup handler, arg a struct bh_call: releases the lock of a walk whose thread ends in the
 * callback.
 */
void bh_walk_cancelled(void *call);

#endif
