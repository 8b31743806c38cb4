/* SPDX-License-Identifier: MIT */
/*
 * walk.h - visits blocks in address order, reading only.
 */
#ifndef BH_WALK_H
#define BH_WALK_H

#include "handle/enter.h"

/* For those inside the door. What the visitor returned when not 0, else 0. */
int bh_walk_blocks(const bheap_t *heap, bheap_walk_fn *callback, void *arg);

/* Where the block behind this one starts; also where a heap cannot be locked. */
uint32_t bh_walk_next(const bheap_t *heap, uint32_t block);

/* A struct bh_call whose thread ends in the middle of a walk: the lock is released. */
void bh_walk_cancelled(void *call);

#endif
