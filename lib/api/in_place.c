/* SPDX-License-Identifier: MIT */
/*
 * in_place.c - see in_place.h. bheap_resize() does nothing else.
 */
#include "api/in_place.h"

#include <errno.h>

#include "api/blocks.h"
#include "api/cached.h"
#include "api/request.h"
#include "core/annotate.h"
#include "core/resize.h"
#include "handle/damage.h"
#include "handle/fill.h"
#include "handle/intent.h"
#include "handle/storage.h"

void bh_in_place_update(bheap_t *heap, uint32_t block, size_t old_usable, size_t size,
			uint32_t owner)
{
	void *address = bh_core_address(&heap->core, block);

	BH_ASSERT(bh_core_is_live(&heap->core, block));
	if (heap->annotated)
		bh_annotate_resize(heap, address, old_usable, size);
	if (heap->trailers)
		bh_trailer_write(&heap->core, heap->key, block,
				 bh_core_granules(&heap->core, block), size ? size : BH_GRANULE,
				 owner);
}

enum bh_core_status bh_in_place_resize(struct bh_call *call, uint32_t block, size_t size)
{
	bheap_t *heap = call->heap;
	uint32_t granules = bh_core_granules(&heap->core, block);
	size_t old_usable = bh_handle_usable(heap, block, granules);
	uint32_t owner = 0;
	unsigned rebuilds = BH_DAMAGE_REBUILDS_MAX;
	enum bh_core_status status;

	BH_ASSERT(bh_core_is_live(&heap->core, block));
	bh_block_verify_trailer(call, block, granules);
	if (bh_handle_is_resize_over_limit(heap, granules, size))
		return BH_NO_ROOM;
	if (heap->trailers)
		owner = bh_trailer_owner(&heap->core, heap->key, block, granules);
	bh_intent_resize(heap, block, owner);
	bh_fill_meet(call, block, block + granules);
	do {
		bh_fill_watch(call);
		status = bh_resize_in_place(&heap->core, block,
					    bh_handle_request_granules(heap, size));
	} while (status == BH_DAMAGED && bh_damage_rebuild(call) && --rebuilds);
	if (status != BH_DONE)
		return status;
	bh_fill_resized(call, block + granules, bh_map_next(&heap->core.map, block));
	bh_in_place_update(heap, block, old_usable, size, owner);
	return BH_DONE;
}

static int resize_refuse(int error)
{
	errno = error;
	return -1;
}

/* The rest of a resize that worked: a fault handler may free the block. */
static int resized_and_report(struct bh_call *call, uint32_t block)
{
	bheap_t *heap = call->heap;
	uint32_t mark = bh_block_mark(heap, block);

	bh_leave(call);
	return !call->count || bh_block_is_same(heap, block, mark) ? 0 : resize_refuse(EINVAL);
}

/* The memory after the block has no room, which is no refusal; or the limit or the disk refuses. */
static int resize_failed(struct bh_call *call, uint32_t block, size_t size)
{
	bheap_t *heap = call->heap;
	int error = bh_request_refusal(call);

	if (error == ENOSPC ||
	    (size <= bh_core_size(&heap->core) &&
	     bh_handle_is_resize_over_limit(heap, bh_core_granules(&heap->core, block), size)))
		bh_block_count_refusal(heap, size);
	bh_leave(call);
	return resize_refuse(error);
}

static int resize_bad_pointer(struct bh_call *call, const void *ptr)
{
	bh_block_note_bad_pointer(call, ptr);
	bh_leave(call);
	return resize_refuse(EINVAL);
}

BH_COLD
static int resize_slow(bheap_t *heap, void *ptr, size_t size)
{
	enum bh_core_status status = BH_NO_ROOM;
	struct bh_call call;
	uint32_t block;

	if (!bh_enter_to_change(&call, heap))
		return -1;
	block = bh_block_find(heap, ptr);
	if (!block)
		return resize_bad_pointer(&call, ptr);
	bh_storage_refusal_clear(heap);
	if (size <= bh_core_size(&heap->core))
		status = bh_in_place_resize(&call, block, size);
	if (status != BH_DONE && size <= bh_core_size(&heap->core) && bh_cached_settle(&call))
		status = bh_in_place_resize(&call, block, size);
	if (status == BH_DONE)
		return resized_and_report(&call, block);
	return resize_failed(&call, block, size);
}

int bheap_resize(bheap_t *heap, void *ptr, size_t size)
{
	if (!ptr || !size)
		return resize_refuse(EINVAL);
	if (BH_LIKELY(heap && bh_may_skip_lock(heap))) {
		uint32_t block = bh_core_find(&heap->core, ptr);

		if (BH_LIKELY(block) &&
		    bh_resize_in_place(&heap->core, block, bh_granules(size)) == BH_DONE)
			return 0;
	}
	return resize_slow(heap, ptr, size);
}
