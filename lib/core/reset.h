/* SPDX-License-Identifier: MIT */
/*
 * reset.h - all blocks of a heap freed at once, without a look at any of them.
 */
#ifndef BH_RESET_H
#define BH_RESET_H

#include "core/core.h"

/*
 * Makes the heap one free block without a root, whatever its free blocks and its index are like. A
 * death inside leaves a tiling in which each block is live as it was, or free, and control->root
 * is BH_ROOT_RESET: then it is done again. Keeps the statistics of the past.
 */
void bh_reset(struct bh_core *core);

#endif
