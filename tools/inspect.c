/* SPDX-License-Identifier: MIT */
/*
 * inspect.c - see inspect.h. bheap_check() tells of one fault; if it is one that guards see, the
 * map is sound, and every block is looked at.
 */
#include "inspect.h"

#include "core/trailer.h"
#include "handle/fill.h"

struct inspection {
	const bheap_t *heap;
	void (*tell)(const struct bheap_fault *fault);
	size_t count;
};

static void fault_count(struct inspection *inspection, const struct bheap_fault *fault)
{
	if (inspection->count++ < INSPECT_MOST)
		inspection->tell(fault);
}

static int block_inspect(const struct bheap_block *block, void *arg)
{
	struct inspection *inspection = arg;
	const struct bh_core *core = &inspection->heap->core;
	uint32_t first = bh_core_granule(core, block->address);
	uint32_t granules = (uint32_t)bh_granules(block->size);
	const void *at = NULL;
	struct bheap_fault fault;

	if (block->used && bh_trailer_is_intact(core, inspection->heap->key, first, granules))
		return 0;
	if (!block->used && !(at = bh_fill_written(inspection->heap, first, first + granules)))
		return 0;
	bh_fault_describe(&fault, block->used ? BHEAP_FAULT_OVERFLOW : BHEAP_FAULT_WRITTEN_FREE,
			  inspection->heap, block->address,
			  block->used ? block->usable : block->size, NULL, at);
	fault_count(inspection, &fault);
	return 0;
}

size_t inspect_heap(const bheap_t *heap, void (*tell)(const struct bheap_fault *fault))
{
	struct inspection inspection = {.heap = heap, .tell = tell};
	struct bheap_fault fault;

	if (bheap_check(heap, &fault) == 0)
		return 0;
	if (fault.kind == BHEAP_FAULT_OVERFLOW || fault.kind == BHEAP_FAULT_WRITTEN_FREE)
		bheap_walk(heap, block_inspect, &inspection);
	/* Or what lies in front of the first block. */
	if (!inspection.count)
		fault_count(&inspection, &fault);
	return inspection.count;
}
