/* SPDX-License-Identifier: MIT */
/*
 * intent.h - the operation under way in a shared heap: announced, ended, and rolled back after a
 * death.
 */
#ifndef BH_INTENT_H
#define BH_INTENT_H

#include "handle/handle.h"

/* Begins and ends the critical section of a shared heap. */
void bh_intent_begin(const bheap_t *heap);
void bh_intent_end(const bheap_t *heap, enum bh_shared_inside inside);

/* Announces the live block about to be resized, and its owner; block 0: none is. */
void bh_intent_resize(const bheap_t *heap, uint32_t block, uint32_t owner);

/* After a death, before the rebuild: frees a pending block that is in no slot. */
void bh_intent_roll_back(const bheap_t *heap);

/* After a death and the rebuild: rewrites the trailer of the block that was being resized. */
void bh_intent_rewrite_trailer(const bheap_t *heap);

#endif
