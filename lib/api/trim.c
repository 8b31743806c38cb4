/* SPDX-License-Identifier: MIT */
/*
 * trim.c - the memory of whole pages inside free blocks goes back to the system.
 */
#include <errno.h>

#include "api/cached.h"
#include "handle/fill.h"
#include "handle/storage.h"

/* Decommits the memory of a free block but for its node, which a bin may link. */
static size_t free_block_trim(bheap_t *heap, uint32_t block, uint32_t next)
{
	char *start = bh_core_address(&heap->core, block + 1);
	size_t trimmed;

	bh_storage_forget(heap, block, next);
	trimmed = bh_region_decommit(&heap->region, start, bh_bytes(next - block - 1));
	bh_fill_trimmed(heap, block + 1, next);
	return trimmed;
}

size_t bheap_trim(bheap_t *heap)
{
	struct bh_call call;
	size_t trimmed = 0;
	int saved = errno;

	if (!bh_cached_enter_to_change(&call, heap))
		return 0;
	/* Preallocated memory stays. */
	if (heap->flags & BHEAP_PREALLOCATE) {
		bh_leave(&call);
		return 0;
	}
	for (uint32_t block = BH_FIRST; block < heap->core.end;) {
		uint32_t next = bh_map_next(&heap->core.map, block);

		if (!bh_map_is_used(&heap->core.map, block))
			trimmed += free_block_trim(heap, block, next);
		block = next;
	}
	bh_leave(&call);
	errno = saved; /* pages that are locked in memory stay, which is no failure */
	return trimmed;
}
