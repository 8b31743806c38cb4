/* SPDX-License-Identifier: MIT */
/*
 * trailer.h - the granule after the user's bytes in heaps with BHEAP_GUARD or BHEAP_OWNED: a seal
 * that an overflow breaks, the size of the slack before it, and the owner of the block.
 *
 *   | user's bytes ... | slack (a pattern) | seal | owner | slack size |
 *   |<----------- size + slack ----------->|<-------- one granule ---->|
 */
#ifndef BH_TRAILER_H
#define BH_TRAILER_H

#include "core/core.h"

#define BH_TRAILER_GRANULES 1
#define BH_TRAILER_SLACK_BYTE 0xb5

struct bh_trailer {
	uint64_t seal;
	uint32_t owner;
	uint32_t slack_size;
};
_Static_assert(sizeof(struct bh_trailer) == BH_TRAILER_GRANULES << BH_GRANULE_SHIFT,
	       "a trailer fills its granule");

/*
 * Writes the trailer and the slack of a block of this many granules (trailer included) with size
 * user's bytes, for which it has room.
 */
void bh_trailer_write(const struct bh_core *core, uint64_t key, uint32_t block, uint32_t granules,
		      size_t size, uint32_t owner);

/* The granule before the first block of a heap in a buffer, sealed like a trailer. */
void bh_trailer_write_front(const struct bh_core *core, uint64_t key);
bool bh_trailer_front_is_intact(const struct bh_core *core, uint64_t key);

/* True if neither slack nor trailer was overwritten. */
bool bh_trailer_is_intact(const struct bh_core *core, uint64_t key, uint32_t block,
			  uint32_t granules);

/* Number of the user's bytes; all bytes up to the trailer when the seal is broken. */
size_t bh_trailer_usable(const struct bh_core *core, uint64_t key, uint32_t block,
			 uint32_t granules);

/* Process id of the owner; 0 when the seal is broken. */
uint32_t bh_trailer_owner(const struct bh_core *core, uint64_t key, uint32_t block,
			  uint32_t granules);

#endif
