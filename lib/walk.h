/* SPDX-License-Identifier: MIT */
/*
 * walk.h - visits blocks in address order, reading only.
 */
#ifndef BH_WALK_H
#define BH_WALK_H

#include "handle.h"

/* For those inside the door. What the visitor returned when not 0, else 0. */
int bh_walk_blocks(const bheap_t *heap, bheap_walk_fn *visit, void *arg);

#endif
