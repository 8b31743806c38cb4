/* SPDX-License-Identifier: MIT */
/*
 * in_place.h - a block made smaller or larger where it is.
 */
#ifndef BH_IN_PLACE_H
#define BH_IN_PLACE_H

#include "handle/call.h"

/* Of an entered call: BH_DONE, or BH_NO_ROOM or BH_DAMAGED, and the block is as it was. */
enum bh_core_status bh_in_place_resize(struct bh_call *call, uint32_t block, size_t size);

/* A block that now has room for size bytes where it is: its trailer and annotations follow. */
void bh_in_place_update(bheap_t *heap, uint32_t block, size_t old_usable, size_t size,
			uint32_t owner);

#endif
