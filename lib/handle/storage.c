/* SPDX-License-Identifier: MIT */
/*
 * storage.c - the end of what has storage moves up in steps, before a block is cut from the top.
 * Where the file system cannot reserve, or the descriptor is gone, nothing is refused.
 */
#include "handle/storage.h"

#include <errno.h>

/* A system call for so many bytes, unless the disk has no room for the rest of them. */
#define STEP ((uint64_t)256 * 1024)

static uint64_t page_down(uint64_t offset)
{
	return offset & ~((uint64_t)bh_region_page() - 1);
}

static uint64_t page_up(uint64_t offset)
{
	return page_down(offset + bh_region_page() - 1);
}

/* Of a granule, in the file. */
static uint64_t file_offset(const bheap_t *heap, uint32_t granule)
{
	const char *address = bh_core_address(&heap->core, granule);

	return (uint64_t)(address - heap->region.start);
}

/* After the first granule of a block; after the end there is none. */
static uint64_t node_end(const bheap_t *heap, uint32_t block)
{
	uint64_t end = file_offset(heap, block) + BH_GRANULE;

	return end < heap->region.size ? end : heap->region.size;
}

static bool range_reserve(const bheap_t *heap, uint64_t begin, uint64_t end)
{
	int fd = heap->region.fd;

	return !bh_file_is_own(fd, &bh_storage_handle(heap)->file) ||
	       !bh_file_has_hole(fd, begin, end) ||
	       bh_region_reserve_if_can(fd, begin, end - begin);
}

/* Up to the next step or, if there is no room for that, to end. */
static bool range_extend(const bheap_t *heap, uint64_t begin, uint64_t end)
{
	struct bh_shared *head = heap->shared;
	uint64_t step = head->reserved + STEP;

	if (step > heap->region.size)
		step = heap->region.size;
	if (step > end && range_reserve(heap, begin, step))
		end = step;
	else if (!range_reserve(heap, begin, end))
		return false;
	if (end > head->reserved)
		bh_shared_store(&head->reserved, end);
	return true;
}

bool bh_storage_take(struct bh_core *core, uint32_t from, uint32_t to)
{
	bheap_t *heap = (bheap_t *)(void *)core;
	const struct bh_shared *head = heap->shared;
	uint64_t begin = page_down(file_offset(heap, from)), end = page_up(node_end(heap, to));

	BH_ASSERT(from < to);
	if (end <= head->reserved && (!head->holes || end - begin <= bh_region_page()))
		return true;
	if (!head->holes || begin > head->reserved)
		begin = head->reserved;
	if (range_extend(heap, begin, end))
		return true;
	bh_storage_handle(heap)->refused = true;
	return false;
}

/* The parts that must have storage, one after the other, of a map whose tags may be damaged. */
static bool parts_reserve(const bheap_t *heap, uint64_t *end)
{
	const struct bh_core *core = &heap->core;
	uint64_t begin = 0;

	*end = node_end(heap, BH_FIRST);
	for (uint32_t block = BH_FIRST, next; block < core->end; block = next) {
		uint64_t from = page_down(file_offset(heap, block));

		next = bh_map_next_untagged(&core->map, block, core->end);
		if (from > *end) {
			if (!range_reserve(heap, begin, page_up(*end)))
				return false;
			begin = from;
		}
		*end = bh_map_is_used(&core->map, block) ? file_offset(heap, next)
							 : node_end(heap, block);
	}
	*end = page_up(*end);
	return range_reserve(heap, begin, *end);
}

/* Of all that lies before the top, or before the end where a live block is the last. */
static uint64_t blocks_end(const bheap_t *heap)
{
	const struct bh_core *core = &heap->core;
	uint32_t last = bh_map_block_at(&core->map, core->end - 1);

	return page_up(bh_map_is_used(&core->map, last) ? file_offset(heap, core->end)
							: node_end(heap, last));
}

bool bh_storage_of_blocks(bheap_t *heap)
{
	struct bh_shared *head = heap->shared;
	uint64_t end = blocks_end(heap);

	if (!heap->core.prepare)
		return true;
	if (head->holes || !range_reserve(heap, 0, end)) {
		bh_shared_store(&head->holes, 1);
		if (!parts_reserve(heap, &end)) {
			errno = ENOSPC;
			return false;
		}
	}
	bh_shared_store(&head->reserved, end);
	return true;
}

bool bh_storage_of_new(bheap_t *heap)
{
	uint64_t end = page_up(node_end(heap, BH_FIRST));

	if (!heap->core.prepare)
		return true;
	if (heap->flags & BHEAP_PREALLOCATE)
		end = heap->region.size;
	else if (bh_region_reserve(heap->region.fd, 0, (size_t)end))
		return false;
	heap->shared->reserved = end;
	return true;
}

void bh_storage_forget(const bheap_t *heap, uint32_t block, uint32_t next)
{
	struct bh_shared *head = heap->shared;
	uint64_t first;

	if (!head || !heap->core.prepare)
		return;
	first = page_up(node_end(heap, block));
	if (first >= page_down(file_offset(heap, next)))
		return;
	if (next != heap->core.end)
		bh_shared_store(&head->holes, 1);
	else if (head->reserved > first)
		bh_shared_store(&head->reserved, first);
}
