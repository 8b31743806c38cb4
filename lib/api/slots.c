/* SPDX-License-Identifier: MIT */
/*
 * slots.c - allocation into a word of the heap, the root among them, and free from it: a death in
 * between loses no block.
 */
#include "api/slots.h"

#include <errno.h>
#include <string.h>

#include "api/blocks.h"
#include "api/refusal.h"
#include "api/request.h"
#include "api/root.h"
#include "handle/intent.h"

/* True if a granule lies in the block of the last slot: a table may hold many slots. */
static bool is_beside_last(const bheap_t *heap, uint32_t granule)
{
	return bh_map_is_live(&heap->core.map, heap->table) && heap->table <= granule &&
	       granule < bh_map_next(&heap->core.map, heap->table);
}

uint32_t bh_slot_block_at(bheap_t *heap, uint64_t offset)
{
	uint32_t granule = (uint32_t)(offset >> BH_GRANULE_SHIFT);

	if (!offset)
		return 0;
	BH_ASSERT(bh_core_pointer(&heap->core, offset));
	if (!is_beside_last(heap, granule))
		heap->table = bh_core_block_at(&heap->core, granule);
	return bh_map_is_used(&heap->core.map, heap->table) ? heap->table : 0;
}

/* A word that lies whole in the user's bytes of one live block; its offset, else 0. */
static uint64_t slot_offset(bheap_t *heap, const uint64_t *slot)
{
	uint64_t offset = bh_core_offset(&heap->core, slot);
	uint32_t block = bh_slot_block_at(heap, offset), granules;

	if (!block || offset % sizeof(*slot))
		return 0;
	granules = bh_core_granules(&heap->core, block);
	if (bh_cache_holds(heap, block, granules))
		return 0;
	return offset + sizeof(*slot) <= bh_bytes(block) + bh_handle_usable(heap, block, granules)
		       ? offset
		       : 0;
}

/* Announces the slot of this operation, before the block. */
static void slot_intend(const bheap_t *heap, uint64_t offset)
{
	if (heap->shared)
		bh_shared_store(&heap->shared->slot, offset);
}

static void *into_once(bheap_t *heap, uint64_t *slot, size_t size)
{
	struct bh_call call;
	uint64_t offset;
	uint32_t block = 0;
	int error = EINVAL;

	if (!bh_enter_to_change(&call, heap))
		return NULL;
	offset = slot_offset(heap, slot);
	if (offset) {
		slot_intend(heap, offset);
		block = bh_request_serve(&call, BH_GRANULE, size);
		if (block)
			bh_shared_store(slot, bh_bytes(block));
		error = bh_request_refusal(&call);
	}
	bh_leave(&call);
	if (!block)
		errno = error;
	return block ? bh_core_address(&heap->core, block) : NULL;
}

void *bheap_alloc_into(bheap_t *heap, uint64_t *slot, size_t size)
{
	struct bh_refusal_tries tries = bh_refusal_begin();
	void *block;

	do
		block = into_once(heap, slot, size);
	while (!block && bh_refusal_retry(heap, &tries, BH_GRANULE, size));
	return block;
}

static uint32_t root_make(struct bh_call *call, size_t size)
{
	bheap_t *heap = call->heap;
	uint32_t block;

	slot_intend(heap, BH_SHARED_SLOT_ROOT);
	block = bh_request_serve(call, BH_GRANULE, size);
	if (block) {
		memset(bh_core_address(&heap->core, block), 0, size);
		bh_shared_store(&heap->core.control->root, bh_bytes(block));
	}
	return block;
}

static void *root_once(bheap_t *heap, size_t size)
{
	struct bh_call call;
	void *root;
	int error;

	if (!bh_enter_to_change(&call, heap))
		return NULL;
	root = bh_root(heap);
	if (!root && root_make(&call, size))
		root = bh_root(heap);
	error = bh_request_refusal(&call);
	bh_leave(&call);
	if (!root)
		errno = error;
	return root;
}

void *bheap_root_alloc(bheap_t *heap, size_t size)
{
	struct bh_refusal_tries tries = bh_refusal_begin();
	void *root;

	do
		root = root_once(heap, size);
	while (!root && bh_refusal_retry(heap, &tries, BH_GRANULE, size));
	return root;
}

/*
 * Frees the block of a slot. Once the slot is 0 the block is pending: if this process dies then, it
 * is freed. 0, or an errno.
 */
static int slot_free(struct bh_call *call, uint64_t *slot, uint64_t offset)
{
	const struct bh_core *core = &call->heap->core;
	const void *ptr = bh_core_pointer(core, *slot);
	uint32_t block = bh_block_find(call->heap, ptr);

	if (!block) {
		bh_block_note_bad_pointer(call, ptr);
		return EINVAL;
	}
	slot_intend(call->heap, offset);
	call->heap->core.control->pending = block;
	bh_shared_store(slot, 0);
	bh_block_free_entered(call, block);
	return 0;
}

int bheap_free_from(bheap_t *heap, uint64_t *slot)
{
	struct bh_call call;
	uint64_t offset;
	int error = EINVAL;

	if (!bh_enter_to_change(&call, heap))
		return -1;
	offset = slot_offset(heap, slot);
	if (offset)
		error = *slot ? slot_free(&call, slot, offset) : 0;
	bh_leave(&call);
	if (error)
		errno = error;
	return error ? -1 : 0;
}
