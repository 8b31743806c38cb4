/* SPDX-License-Identifier: MIT */
/*
 * slots.h - the block that a word of a heap lies in.
 */
#ifndef BH_SLOTS_H
#define BH_SLOTS_H

#include "handle/handle.h"

/* The live block that an offset lies in, or 0; also for offset 0. */
uint32_t bh_slot_block_at(bheap_t *heap, uint64_t offset);

#endif
