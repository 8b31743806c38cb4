/* SPDX-License-Identifier: MIT */
/*
 * limit.c - the limit of a heap: how many of its bytes may be in use.
 */
#include <errno.h>

#include "api/cached.h"

int bheap_set_limit(bheap_t *heap, size_t limit)
{
	struct bh_call call;

	if (!bh_cached_enter_to_change(&call, heap))
		return -1;
	bh_handle_set_limit(heap, limit);
	bh_leave(&call);
	return 0;
}

size_t bheap_limit(const bheap_t *heap)
{
	if (heap)
		return (size_t)bh_handle_limit(heap);
	errno = EINVAL;
	return 0;
}
