/* SPDX-License-Identifier: MIT */
/*
 * allocator.c - replays a trace through an allocator; libbheap as an allocator.
 */
#include "allocator.h"

#include <bheap.h>
#include <stdlib.h>

#include "tools/memory.h"

size_t replay_run(const struct allocator *allocator, void *heap, const struct trace *trace,
		  void **blocks)
{
	const struct trace_op *end = trace->ops + trace->op_count;

	for (const struct trace_op *op = trace->ops; op < end; op++) {
		void *block = blocks[op->slot];
		switch ((enum trace_kind)op->kind) {
		case TRACE_FREE:
			allocator->release(heap, block);
			block = NULL;
			break;
		case TRACE_ALLOC:
			block = allocator->alloc(heap, op->size);
			if (block == NULL)
				return (size_t)(op - trace->ops);
			break;
		case TRACE_RESIZE:
			block = allocator->resize(heap, block, op->size);
			if (block == NULL)
				return (size_t)(op - trace->ops);
			break;
		case TRACE_ALIGNED:
			block = allocator->align(heap, (size_t)1 << op->alignment_log2, op->size);
			if (block == NULL)
				return (size_t)(op - trace->ops);
			break;
		}
		blocks[op->slot] = block;
	}
	return trace->op_count;
}

void replay_drain(const struct allocator *allocator, void *heap, const struct trace *trace,
		  void **blocks)
{
	for (uint32_t slot = 0; slot < trace->slot_count; slot++) {
		if (blocks[slot] != NULL)
			allocator->release(heap, blocks[slot]);
		blocks[slot] = NULL;
	}
}

size_t replay_room(const struct trace *trace)
{
	if (trace->room_size != 0)
		return trace->room_size;
	return trace->peak_size * 4 + (1 << 20);
}

static bool trace_fits(const struct allocator *allocator, const struct trace *trace, void *region,
		       size_t size)
{
	void *heap = allocator->open(allocator, region, size);
	if (heap == NULL)
		return false;
	void **blocks = memory_zero(trace->slot_count, sizeof(*blocks));
	bool fits = replay_run(allocator, heap, trace, blocks) == trace->op_count;
	allocator->close(heap);
	free(blocks);
	return fits;
}

size_t replay_fit(const struct allocator *allocator, const struct trace *trace)
{
	size_t limit = trace->peak_size * 16 + (64 << 10);
	void *region = memory_map(limit);
	size_t low = trace->peak_size; /* too small, since the control data counts */
	size_t high = low + low / 16 + 1024;

	while (!trace_fits(allocator, trace, region, high)) {
		low = high;
		high += (high - trace->peak_size) * 2;
		if (high > limit) {
			memory_unmap(region, limit);
			return 0;
		}
	}
	while (high - low > high / 16384 + 16) {
		size_t middle = low + (high - low) / 2;
		if (trace_fits(allocator, trace, region, middle))
			high = middle;
		else
			low = middle;
	}
	memory_unmap(region, limit);
	return high;
}

static void *bheap_open_region(const struct allocator *allocator, void *region, size_t size)
{
	return bheap_create_in(region, size, allocator->flags);
}

static void bheap_close_region(void *heap)
{
	(void)bheap_destroy(heap);
}

static void *bheap_alloc_block(void *heap, size_t size)
{
	return bheap_alloc(heap, size);
}

static void *bheap_align_block(void *heap, size_t alignment, size_t size)
{
	return bheap_aligned_alloc(heap, alignment, size);
}

static void *bheap_resize_block(void *heap, void *block, size_t size)
{
	return bheap_realloc(heap, block, size);
}

static void bheap_release_block(void *heap, void *block)
{
	(void)bheap_free(heap, block);
}

const struct allocator allocator_bheap = {
	.name = "libbheap",
	.bounded = true,
	.open = bheap_open_region,
	.close = bheap_close_region,
	.alloc = bheap_alloc_block,
	.align = bheap_align_block,
	.resize = bheap_resize_block,
	.release = bheap_release_block,
};
