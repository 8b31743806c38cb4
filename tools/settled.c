/* SPDX-License-Identifier: MIT */
/*
 * settled.c - see settled.h.
 */
#include "settled.h"

#include "handle/caches.h"

struct settled {
	const bheap_t *heap;
	bheap_walk_fn *callback;
	void *arg;
	struct bheap_block free; /* not passed on yet, for more may follow; or of no size */
	bool previous_used;
};

static bool is_cached(const bheap_t *heap, const void *address)
{
	uint32_t block = bh_core_granule(&heap->core, address);

	return bh_cache_holds(heap, block, bh_core_granules(&heap->core, block));
}

static int block_pass(struct settled *settled, struct bheap_block block)
{
	block.previous_used = settled->previous_used;
	settled->previous_used = block.used;
	return settled->callback(&block, settled->arg);
}

static int free_pass(struct settled *settled)
{
	struct bheap_block block = settled->free;

	settled->free.size = 0;
	return block.size ? block_pass(settled, block) : 0;
}

static int block_settle(const struct bheap_block *block, void *arg)
{
	struct settled *settled = arg;
	int result;

	if (block->used && !is_cached(settled->heap, block->address)) {
		result = free_pass(settled);
		return result ? result : block_pass(settled, *block);
	}
	if (!settled->free.size)
		settled->free = (struct bheap_block){.address = block->address};
	settled->free.size += block->size;
	return 0;
}

void settled_walk(const bheap_t *heap, bheap_walk_fn *callback, void *arg)
{
	struct settled settled = {
		.heap = heap, .callback = callback, .arg = arg, .previous_used = true};

	if (!bheap_walk(heap, block_settle, &settled))
		free_pass(&settled);
}
