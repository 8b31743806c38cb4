/* SPDX-License-Identifier: MIT */
/*
 * inspect.c - see inspect.h. Not bheap_check(), which tells of one fault and reads the block map
 * whole: a GiB where the heap has its largest size.
 */
#include "inspect.h"

#include "core/trailer.h"
#include "handle/fill.h"

struct inspection {
	const bheap_t *heap;
	const char *fresh;
	void (*tell)(const struct bheap_fault *fault);
	size_t count;
};

static void fault_count(struct inspection *inspection, const struct bheap_fault *fault)
{
	if (inspection->count++ < INSPECT_MOST)
		inspection->tell(fault);
}

/* The first byte of a free block that was written to, or NULL. */
static const void *written_at(const struct inspection *inspection, const struct bheap_block *block)
{
	const struct bh_core *core = &inspection->heap->core;
	const char *from = block->address, *end = from + block->size;

	if (end > inspection->fresh)
		end = inspection->fresh;
	return from < end ? bh_fill_written(inspection->heap, bh_core_granule(core, from),
					    bh_core_granule(core, end))
			  : NULL;
}

static bool trailer_is_intact(const struct inspection *inspection, const struct bheap_block *block)
{
	const struct bh_core *core = &inspection->heap->core;

	return bh_trailer_is_intact(core, inspection->heap->key,
				    bh_core_granule(core, block->address),
				    (uint32_t)bh_granules(block->size));
}

static int block_inspect(const struct bheap_block *block, void *arg)
{
	struct inspection *inspection = arg;
	const void *at = block->used ? NULL : written_at(inspection, block);
	struct bheap_fault fault;

	if (block->used ? trailer_is_intact(inspection, block) : !at)
		return 0;
	bh_fault_describe(&fault, block->used ? BHEAP_FAULT_OVERFLOW : BHEAP_FAULT_WRITTEN_FREE,
			  inspection->heap, block->address,
			  block->used ? block->usable : block->size, NULL, at);
	fault_count(inspection, &fault);
	return 0;
}

size_t inspect_heap(const bheap_t *heap, const char *fresh,
		    void (*tell)(const struct bheap_fault *fault))
{
	struct inspection inspection = {.heap = heap, .fresh = fresh, .tell = tell};

	bheap_walk(heap, block_inspect, &inspection);
	return inspection.count;
}
