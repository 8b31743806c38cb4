/* SPDX-License-Identifier: MIT */
/*
 * trailer.c - writes and verifies seals. A seal binds a trailer to its heap, its block and its
 * content, so that a stale or copied one is invalid. Reads memory that the tools have marked
 * inaccessible.
 */
#include "core/trailer.h"

uint64_t bh_trailer_seal(uint64_t key, uint32_t block, uint32_t owner, uint32_t slack_size)
{
	const uint64_t keys[2] = {key, ~key};

	/* Its first byte is never 0: the byte that ends a string one too long always breaks it. */
	return bh_sip(keys, (uint64_t)owner << 32 | block, slack_size) |
	       UINT64_C(0x0100000000000001);
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
		*bh_trailer_word_at(end - left) = BH_TRAILER_SLACK_WORD;
	*bh_trailer_word_at(end - sizeof(uint64_t)) = BH_TRAILER_SLACK_WORD;
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
		if (*bh_trailer_word_at(end - left) != BH_TRAILER_SLACK_WORD)
			return false;
	return *bh_trailer_word_at(end - sizeof(uint64_t)) == BH_TRAILER_SLACK_WORD;
}

BH_UNCHECKED
void bh_trailer_write(const struct bh_core *core, uint64_t key, uint32_t block, uint32_t granules,
		      size_t size, uint32_t owner)
{
	struct bh_trailer *trailer = bh_trailer_of(core, block, granules);
	unsigned char *end = (unsigned char *)trailer;
	size_t slack_size = bh_bytes(granules - BH_TRAILER_GRANULES) - size;

	BH_ASSERT(granules > BH_TRAILER_GRANULES);
	BH_ASSERT(size <= bh_bytes(granules - BH_TRAILER_GRANULES));
	trailer->owner = owner;
	trailer->slack_size = (uint32_t)slack_size;
	trailer->seal = bh_trailer_seal(key, block, owner, trailer->slack_size);
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
	*trailer_in_front(core) =
		(struct bh_trailer){.seal = bh_trailer_seal(key, BH_FIRST - 1, 0, 0)};
}

BH_UNCHECKED
bool bh_trailer_front_is_intact(const struct bh_core *core, uint64_t key)
{
	const struct bh_trailer *front = trailer_in_front(core);

	return front->seal == bh_trailer_seal(key, BH_FIRST - 1, front->owner, front->slack_size);
}

/* False also if the slack is more than there is room for. */
static bool sound_read(const struct bh_core *core, uint64_t key, uint32_t block, uint32_t granules,
		       struct bh_trailer *trailer)
{
	return bh_trailer_read(core, key, block, granules, trailer) &&
	       trailer->slack_size <= bh_bytes(granules - BH_TRAILER_GRANULES);
}

BH_UNCHECKED
bool bh_trailer_is_intact(const struct bh_core *core, uint64_t key, uint32_t block,
			  uint32_t granules)
{
	unsigned char *end = (unsigned char *)bh_trailer_of(core, block, granules);
	struct bh_trailer trailer;

	return sound_read(core, key, block, granules, &trailer) &&
	       slack_is_intact(end, trailer.slack_size);
}

BH_UNCHECKED
size_t bh_trailer_usable(const struct bh_core *core, uint64_t key, uint32_t block,
			 uint32_t granules)
{
	size_t room = bh_bytes(granules - BH_TRAILER_GRANULES);
	struct bh_trailer trailer;

	return sound_read(core, key, block, granules, &trailer) ? room - trailer.slack_size : room;
}

BH_UNCHECKED
uint32_t bh_trailer_owner(const struct bh_core *core, uint64_t key, uint32_t block,
			  uint32_t granules)
{
	struct bh_trailer trailer;

	return sound_read(core, key, block, granules, &trailer) ? trailer.owner : 0;
}
