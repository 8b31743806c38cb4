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
#include "core/sip.h"

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

/* ---- inline, for the fast path ---- */

/*
 * One-way: content that leaks must not tell how a seal for another block is made. Not inline: it
 * uses the registers that no function need save, and leaves the others to its callers.
 */
uint64_t bh_trailer_seal(uint64_t key, uint32_t block, uint32_t owner, uint32_t slack_size);

static inline struct bh_trailer *bh_trailer_of(const struct bh_core *core, uint32_t block,
					       uint32_t granules)
{
	return bh_core_address(core, block + granules - BH_TRAILER_GRANULES);
}

/*
 * Reads a trailer once: the one that was found sound is the one that is used. Its slack may be more
 * than there is room for.
 */
BH_UNCHECKED
static inline bool bh_trailer_read(const struct bh_core *core, uint64_t key, uint32_t block,
				   uint32_t granules, struct bh_trailer *trailer)
{
	*trailer = *(volatile struct bh_trailer *)bh_trailer_of(core, block, granules);
	return granules > BH_TRAILER_GRANULES &&
	       trailer->seal == bh_trailer_seal(key, block, trailer->owner, trailer->slack_size);
}

#define BH_TRAILER_SLACK_WORD (UINT64_C(0x0101010101010101) * BH_TRAILER_SLACK_BYTE)

/* At any address. Volatile, or the compiler would call a memset() that AddressSanitizer watches. */
typedef volatile uint64_t bh_trailer_word __attribute__((may_alias, aligned(1)));

static inline bh_trailer_word *bh_trailer_word_at(const unsigned char *at)
{
	return (bh_trailer_word *)(uintptr_t)at;
}

/*
 * Of a block just handed out whole, which has less than a granule of slack: nothing before that is
 * the user's yet.
 */
BH_UNCHECKED
static BH_ALWAYS_INLINE void bh_trailer_write_new(const struct bh_core *core, uint64_t key,
						  uint32_t block, uint32_t granules, size_t size,
						  uint32_t owner)
{
	struct bh_trailer *trailer = bh_trailer_of(core, block, granules);
	unsigned char *end = (unsigned char *)trailer;
	uint32_t slack_size = (uint32_t)(bh_bytes(granules - BH_TRAILER_GRANULES) - size);

	BH_ASSERT(granules > BH_TRAILER_GRANULES && slack_size < BH_GRANULE);
	trailer->owner = owner;
	trailer->slack_size = slack_size;
	trailer->seal = bh_trailer_seal(key, block, owner, slack_size);
	*bh_trailer_word_at(end - 2 * sizeof(uint64_t)) = BH_TRAILER_SLACK_WORD;
	*bh_trailer_word_at(end - sizeof(uint64_t)) = BH_TRAILER_SLACK_WORD;
}

/* True if so many bytes, a granule at most, are slack; others may stand before them. */
BH_UNCHECKED
static inline bool bh_trailer_ends_slack(const unsigned char *end, size_t size)
{
	/* From an index on: a mask of the last bytes of a granule, as many as the index says. */
	static const unsigned char masks[2 * BH_GRANULE] = {
		0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
		0,    0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const unsigned char *mask = &masks[size];

	BH_ASSERT(size <= BH_GRANULE);
	return !(((*bh_trailer_word_at(end - BH_GRANULE) ^ BH_TRAILER_SLACK_WORD) &
		  *bh_trailer_word_at(mask)) |
		 ((*bh_trailer_word_at(end - sizeof(uint64_t)) ^ BH_TRAILER_SLACK_WORD) &
		  *bh_trailer_word_at(mask + sizeof(uint64_t))));
}

/*
 * True if neither slack nor trailer was overwritten, of a block that its user gives up: the last
 * bytes are read, too. False also if it has more than a granule of slack.
 */
BH_UNCHECKED
static BH_ALWAYS_INLINE bool bh_trailer_is_intact_small(const struct bh_core *core, uint64_t key,
							uint32_t block, uint32_t granules)
{
	const struct bh_trailer *end = bh_trailer_of(core, block, granules);
	struct bh_trailer trailer;

	return bh_trailer_read(core, key, block, granules, &trailer) &&
	       trailer.slack_size <= BH_GRANULE &&
	       bh_trailer_ends_slack((const unsigned char *)end, trailer.slack_size);
}

#endif
