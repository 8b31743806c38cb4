/* SPDX-License-Identifier: MIT */
/*
 * intent.h - the operation under way in a shared heap: announced, ended, and rolled back after a
 * death.
 */
#ifndef BH_INTENT_H
#define BH_INTENT_H

#include "handle/handle.h"

/* Inside the mutex: someone is, and no longer is. */
void bh_intent_begin(const bheap_t *heap);
void bh_intent_end(const bheap_t *heap);

/* The block about to be resized, and whose it is. */
void bh_intent_resize(const bheap_t *heap, uint32_t block, uint32_t owner);

/* After a death, before the rebuild: an allocation that nobody got is undone. */
void bh_intent_roll_back(const bheap_t *heap);

/* ... and after it: the block that was being resized has its trailer again. */
void bh_intent_rewrite_trailer(const bheap_t *heap);

#endif
