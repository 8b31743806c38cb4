/* SPDX-License-Identifier: MIT */
/*
 * head.c - each field has a meaning only if those before it are as expected.
 */
#include "handle/head.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "bheap.h"
#include "core/granule.h"

/* Also one that is not finished: its maker was, and is, on another machine. */
static bool is_of_other_order(const struct bh_shared *head)
{
	uint64_t magic = __builtin_bswap64(head->magic);

	return magic == BH_SHARED_MAGIC || magic == BH_SHARED_CREATING;
}

/* What is wrong and needs no number to say so, or NULL. */
static const char *magic_reason(const struct bh_shared *head)
{
	if (is_of_other_order(head))
		return "its bytes are in the order of another machine";
	if (head->magic == BH_SHARED_CREATING)
		return "its creation was not finished";
	return head->magic == BH_SHARED_MAGIC ? NULL : "it is not a heap";
}

static const char *layout_reason(const struct bh_shared *head)
{
	if (head->granule_size != BH_GRANULE)
		return "its granules are of another size";
	if (head->head_size != sizeof(*head))
		return "its head is of another size";
	if (head->flags & ~(unsigned)BH_HEAD_FLAGS)
		return "it has flags that this library does not know";
	return NULL;
}

bool bh_head_is_ours(const struct bh_shared *head, char *reason, size_t size)
{
	const char *why = magic_reason(head);

	if (!why && head->version != BH_SHARED_VERSION) {
		snprintf(reason, size, "its layout is version %" PRIu32 ", not %d as here",
			 head->version, BH_SHARED_VERSION);
		return false;
	}
	if (!why && head->word_size != sizeof(void *)) {
		snprintf(reason, size, "a %u-bit program created it; this is %u-bit",
			 (unsigned)head->word_size * CHAR_BIT, (unsigned)BH_WORD_BITS);
		return false;
	}
	why = why ? why : layout_reason(head);
	if (why)
		snprintf(reason, size, "%s", why);
	return !why;
}
