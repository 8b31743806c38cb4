/* SPDX-License-Identifier: MIT */
/*
 * trailer.h - the granule behind the user's bytes in heaps with BHEAP_GUARD or BHEAP_OWNED: a seal
 * that an overflow breaks, how many bytes of slack lie in front of it, and who made the block.
 *
 *   | user's bytes ... | slack (a pattern) | seal | owner | slack size |
 *   |<----------- size + slack ----------->|<-------- one granule ---->|
 */
#ifndef BH_TRAILER_H
#define BH_TRAILER_H

#include "core/core.h"

#define BH_TRAILER_GRANULES 1

/* Seals a block of so many granules, trailer included, for size user's bytes. */
void bh_trailer_write(const struct bh_core *core, uint64_t key, uint32_t block, uint32_t granules,
		      size_t size, uint32_t owner);

/* Whether neither slack nor trailer were written to. */
bool bh_trailer_is_intact(const struct bh_core *core, uint64_t key, uint32_t block,
			  uint32_t granules);

/* The user's bytes: all up to the trailer when that is broken. */
size_t bh_trailer_usable(const struct bh_core *core, uint64_t key, uint32_t block,
			 uint32_t granules);

/* The owner; 0 when the trailer is broken. */
uint32_t bh_trailer_owner(const struct bh_core *core, uint64_t key, uint32_t block,
			  uint32_t granules);

#endif
