/* SPDX-License-Identifier: MIT */
/*
 * batch.h - what a thread's cache takes from the heap and gives back to it, several blocks with one
 * lock: when it is empty, and when it has no room. Decides how much a cache may keep.
 */
#ifndef BH_BATCH_H
#define BH_BATCH_H

#include "api/cached.h"

/*
 * Before a block of so many granules is allocated: one that another thread passed on, and a few
 * more into this thread's cache, to be handed out next; or NULL.
 */
void *bh_batch_take(struct bh_call *call, size_t granules);

/* After a block of so many granules was allocated: takes a few more, to be handed out next. */
void bh_batch_fill(struct bh_call *call, size_t granules);

/* Puts a block into this thread's cache; false if it has to be freed. */
bool bh_batch_put(struct bh_call *call, uint32_t block);

#endif
