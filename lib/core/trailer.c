/* SPDX-License-Identifier: MIT */
/*
 * trailer.c - writes and verifies seals. A seal binds a trailer to its heap, its block and its
 * content, so that a stale or copied one is invalid. Reads memory that the tools have marked
 * inaccessible.
 */
#include "core/trailer.h"

#include "core/sip.h"

static inline struct bh_trailer *trailer_of(const struct bh_core *core, uint32_t block,
					    uint32_t granules)
{
	return bh_core_address(core, block + granules - BH_TRAILER_GRANULES);
}

/* One-way: content that leaks must not tell how a seal for another block is made. */
static uint64_t seal_of(uint64_t key, uint32_t block, uint32_t owner, uint32_t slack_size)
{
	const uint64_t keys[2] = {key, ~key};

	/* Its first byte is never 0: the byte that ends a string one too long always breaks it. */
	return bh_sip(keys, (uint64_t)owner << 32 | block, slack_size) |
	       UINT64_C(0x0100000000000001);
}

#define SLACK_WORD (UINT64_C(0x0101010101010101) * BH_TRAILER_SLACK_BYTE)

/* At any address. Volatile, or the compiler would call a memset() that AddressSanitizer watches. */
typedef volatile uint64_t slack_word_t __attribute__((aligned(1), may_alias));

static slack_word_t *slack_word(unsigned char *at)
{
	return (slack_word_t *)(void *)at;
}

/* By words, the last of which may lie over the one before it. */
BH_UNCHECKED
static void slack_fill(unsigned char *end, size_t size)
{
	volatile unsigned char *bytes = end - size;

	if (size < sizeof(uint64_t)) {
		while (bytes < end)
			*bytes++ = BH_TRAILER_SLACK_BYTE;
		return;
	}
	for (size_t left = size; left > sizeof(uint64_t); left -= sizeof(uint64_t))
		*slack_word(end - left) = SLACK_WORD;
	*slack_word(end - sizeof(uint64_t)) = SLACK_WORD;
}

BH_UNCHECKED
static bool slack_is_intact(unsigned char *end, size_t size)
{
	const volatile unsigned char *bytes = end - size;

	if (size < sizeof(uint64_t)) {
		while (bytes < end && *bytes == BH_TRAILER_SLACK_BYTE)
			bytes++;
		return bytes == end;
	}
	for (size_t left = size; left > sizeof(uint64_t); left -= sizeof(uint64_t))
		if (*slack_word(end - left) != SLACK_WORD)
			return false;
	return *slack_word(end - sizeof(uint64_t)) == SLACK_WORD;
}

BH_UNCHECKED
void bh_trailer_write(const struct bh_core *core, uint64_t key, uint32_t block, uint32_t granules,
		      size_t size, uint32_t owner)
{
	struct bh_trailer *trailer = trailer_of(core, block, granules);
	unsigned char *end = (unsigned char *)trailer;
	size_t slack_size = bh_bytes(granules - BH_TRAILER_GRANULES) - size;

	BH_ASSERT(granules > BH_TRAILER_GRANULES);
	BH_ASSERT(size <= bh_bytes(granules - BH_TRAILER_GRANULES));
	trailer->owner = owner;
	trailer->slack_size = (uint32_t)slack_size;
	trailer->seal = seal_of(key, block, owner, trailer->slack_size);
	slack_fill(end, slack_size);
}

/* It lies where the sentinel would, which has no memory elsewhere. */
static inline struct bh_trailer *trailer_in_front(const struct bh_core *core)
{
	return (struct bh_trailer *)(void *)(bh_core_start(core) - BH_GRANULE);
}

BH_UNCHECKED
void bh_trailer_write_front(const struct bh_core *core, uint64_t key)
{
	*trailer_in_front(core) = (struct bh_trailer){.seal = seal_of(key, BH_FIRST - 1, 0, 0)};
}

BH_UNCHECKED
bool bh_trailer_front_is_intact(const struct bh_core *core, uint64_t key)
{
	const struct bh_trailer *front = trailer_in_front(core);

	return front->seal == seal_of(key, BH_FIRST - 1, front->owner, front->slack_size);
}

/* Reads a trailer once: the one that was found sound is the one that is used. */
BH_UNCHECKED
static bool trailer_read(const struct bh_core *core, uint64_t key, uint32_t block,
			 uint32_t granules, struct bh_trailer *trailer)
{
	*trailer = *(volatile struct bh_trailer *)trailer_of(core, block, granules);
	return granules > BH_TRAILER_GRANULES &&
	       trailer->seal == seal_of(key, block, trailer->owner, trailer->slack_size) &&
	       trailer->slack_size <= bh_bytes(granules - BH_TRAILER_GRANULES);
}

BH_UNCHECKED
bool bh_trailer_is_intact(const struct bh_core *core, uint64_t key, uint32_t block,
			  uint32_t granules)
{
	unsigned char *end = (unsigned char *)trailer_of(core, block, granules);
	struct bh_trailer trailer;

	return trailer_read(core, key, block, granules, &trailer) &&
	       slack_is_intact(end, trailer.slack_size);
}

BH_UNCHECKED
size_t bh_trailer_usable(const struct bh_core *core, uint64_t key, uint32_t block,
			 uint32_t granules)
{
	size_t room = bh_bytes(granules - BH_TRAILER_GRANULES);
	struct bh_trailer trailer;

	return trailer_read(core, key, block, granules, &trailer) ? room - trailer.slack_size
								  : room;
}

BH_UNCHECKED
uint32_t bh_trailer_owner(const struct bh_core *core, uint64_t key, uint32_t block,
			  uint32_t granules)
{
	struct bh_trailer trailer;

	return trailer_read(core, key, block, granules, &trailer) ? trailer.owner : 0;
}
