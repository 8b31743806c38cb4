/* SPDX-License-Identifier: MIT */
/*
 * request.c - see request.h.
 */
#include "api/request.h"

#include <errno.h>

#include "api/batch.h"
#include "core/alloc.h"
#include "core/probe.h"
#include "handle/damage.h"
#include "handle/fill.h"
#include "handle/storage.h"

static uint32_t block_find_room(struct bh_call *call, size_t alignment, size_t granules)
{
	struct bh_core *core = &call->heap->core;
	uint32_t block;
	unsigned rebuilds = BH_DAMAGE_REBUILDS_MAX;

	do {
		bh_fill_watch(call);
		block = alignment > BH_GRANULE ? bh_alloc_aligned(core, alignment, granules)
					       : bh_alloc_block(core, granules);
		if (BH_LIKELY(block) || !bh_damage_rebuild(call))
			return block;
	} while (--rebuilds);
	bh_fill_watch(call);
	return bh_alloc_by_map(core, alignment, granules);
}

int bh_request_refusal(const struct bh_call *call)
{
	return bh_storage_was_refused(call->heap) ? ENOSPC : ENOMEM;
}

/* A block that the limit of the heap allows; else 0. */
static uint32_t block_find_allowed(struct bh_call *call, size_t alignment, size_t size)
{
	const bheap_t *heap = call->heap;
	size_t granules = bh_handle_request_granules(heap, size);

	if (size > bh_core_size(&heap->core) || bh_handle_is_over_limit(heap, granules))
		return 0;
	return block_find_room(call, alignment, granules);
}

uint32_t bh_request_serve(struct bh_call *call, size_t alignment, size_t size)
{
	bheap_t *heap = call->heap;
	uint32_t block;

	BH_ASSERT(bh_is_power_of_two(alignment) && alignment >= BH_GRANULE);
	bh_storage_refusal_clear(heap);
	bh_cached_inherit(call);
	block = block_find_allowed(call, alignment, size);
	/* To map more is cheaper, and leaves the caches to their owners. */
	if (BH_UNLIKELY(!block) && !bh_handle_ahead(heap) && bh_cached_settle(call))
		block = block_find_allowed(call, alignment, size);
	if (!block) {
		bh_block_count_refusal(heap, size);
		return 0;
	}
	bh_fill_taken(call, block, block + bh_core_granules(&heap->core, block));
	bh_block_finish(heap, block, size);
	return block;
}

uint32_t bh_request_serve_cached(struct bh_call *call, size_t alignment, size_t size)
{
	bheap_t *heap = call->heap;
	bool cached = bh_caches_are_on(heap) && alignment == BH_GRANULE;
	void *passed = cached ? bh_batch_take(call, bh_granules(size)) : NULL;
	uint32_t block = passed ? bh_core_granule(&heap->core, passed)
				: bh_request_serve(call, alignment, size);

	if (passed)
		bh_probe_alloc(heap, passed, size);
	else if (block && cached)
		bh_batch_fill(call, bh_granules(size));
	return block;
}
