/* SPDX-License-Identifier: MIT */
/*
 * slots.h - where a word of a heap lies.
 */
#ifndef BH_SLOTS_H
#define BH_SLOTS_H

#include "handle/handle.h"

/* The live block that an offset lies in, or 0. */
uint32_t bh_slot_block_at(bheap_t *heap, uint64_t offset);

#endif
