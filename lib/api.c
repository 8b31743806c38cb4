/* SPDX-License-Identifier: MIT */
/*
 * api.c - the block functions: arguments, errno, and the way through the door. The first lines of
 * bh_alloc() and bh_free() are the straight path: no trailer, no annotation, no lock needed. What
 * that path cannot do it leaves undone, and the way through the door does it from the start.
 */
#include "api.h"

#include <errno.h>
#include <string.h>

#include "fast.h"
#include "fill.h"
#include "probe.h"
#include "shared.h"

/* Damage met again after so many rebuilds in one call: someone is writing right now. */
#define HEALS_MAX 3

static void *refuse(int error)
{
	errno = error;
	return NULL;
}

/* ---- inside the door ---- */

static uint32_t block_find_room(struct bh_visit *visit, size_t alignment, size_t granules)
{
	struct bh_heap *heap = &visit->heap->heap;
	uint32_t block;
	unsigned heals = HEALS_MAX;

	do {
		bh_fill_watch(visit);
		block = alignment > BH_GRANULE
				? bh_heap_allocate_aligned(heap, alignment, granules)
				: bh_heap_allocate(heap, granules);
	} while (BH_UNLIKELY(!block && bh_heal(visit)) && --heals);
	return block;
}

static void request_refuse(const bheap_t *heap, size_t size)
{
	heap->heap.control->failures++;
	bh_probe_fail(heap, size);
}

static void block_dress(const bheap_t *heap, uint32_t block, size_t size)
{
	bh_probe_alloc(heap, bh_heap_address(&heap->heap, block), size);
	if (heap->annotated)
		bh_annotate_alloc(heap, bh_heap_address(&heap->heap, block), size);
	if (heap->trailers)
		bh_trailer_write(&heap->heap, heap->key, block,
				 bh_heap_granules(&heap->heap, block), size ? size : BH_GRANULE,
				 bh_shared_owner(heap));
}

uint32_t bh_take(struct bh_visit *visit, size_t alignment, size_t size)
{
	bheap_t *heap = visit->heap;
	uint32_t block = 0;

	if (size <= bh_heap_size(&heap->heap))
		block = block_find_room(visit, alignment, bh_request_granules(heap, size));
	if (!block) {
		request_refuse(heap, size);
		return 0;
	}
	bh_fill_taken(visit, block, block + bh_heap_granules(&heap->heap, block));
	block_dress(heap, block, size);
	return block;
}

/* Reports a broken trailer, and seals it anew: a block that is to be moved comes here again. */
static void trailer_verify(struct bh_visit *visit, uint32_t block, uint32_t granules)
{
	const bheap_t *heap = visit->heap;
	size_t usable;

	if (!heap->trailers || bh_trailer_is_intact(&heap->heap, heap->key, block, granules))
		return;
	usable = bh_usable(heap, block, granules);
	bh_note(visit, BHEAP_FAULT_OVERFLOW, bh_heap_address(&heap->heap, block), usable, NULL);
	if (granules > BH_TRAILER_GRANULES)
		bh_trailer_write(&heap->heap, heap->key, block, granules, usable,
				 bh_trailer_owner(&heap->heap, heap->key, block, granules));
}

void bh_give_back(struct bh_visit *visit, uint32_t block)
{
	bheap_t *heap = visit->heap;
	uint32_t granules = bh_heap_granules(&heap->heap, block);
	unsigned heals = HEALS_MAX;
	enum bh_status status;

	trailer_verify(visit, block, granules);
	bh_fill_meet(visit, block, block + granules);
	if (heap->annotated)
		bh_annotate_free(heap, bh_heap_address(&heap->heap, block), bh_bytes(granules));
	bh_probe_free(heap, bh_heap_address(&heap->heap, block));
	do {
		status = bh_heap_release(&heap->heap, block);
	} while (status == BH_DAMAGED && bh_heal(visit) && --heals);
	if (status == BH_DONE)
		bh_fill_freed(visit, block, block + granules);
}

void bh_note_bad_pointer(struct bh_visit *visit, const void *ptr)
{
	const struct bh_heap *heap = &visit->heap->heap;
	uintptr_t offset = (uintptr_t)ptr - (uintptr_t)bh_heap_start(heap);
	uint32_t granule, block;
	size_t size;

	if (offset >= bh_heap_size(heap)) {
		bh_note(visit, BHEAP_FAULT_NOT_A_BLOCK, ptr, 0, "outside the heap");
		return;
	}
	granule = BH_FIRST + (uint32_t)(offset >> BH_GRANULE_SHIFT);
	block = bh_map_is_start(&heap->map, granule) ? granule
						     : bh_map_previous(&heap->map, granule);
	size = bh_bytes(bh_heap_granules(heap, block));
	if (bh_map_is_used(&heap->map, block))
		bh_note(visit, BHEAP_FAULT_NOT_A_BLOCK, ptr, size, "inside a live block of that size");
	else
		bh_note(visit, BHEAP_FAULT_DOUBLE_FREE, ptr, size, NULL);
}

/* ---- allocate ---- */

BH_COLD
static void *alloc_through_door(bheap_t *heap, size_t alignment, size_t size)
{
	struct bh_visit visit;
	uint32_t block;

	if (!bh_enter_to_change(&visit, heap))
		return NULL;
	block = bh_take(&visit, alignment, size);
	bh_leave(&visit);
	return BH_LIKELY(block) ? bh_heap_address(&heap->heap, block) : refuse(ENOMEM);
}

void *bh_alloc(bheap_t *heap, size_t size)
{
	if (BH_LIKELY(heap && bh_may_pass(heap))) {
		size_t granules = bh_granules(size);
		uint32_t block = bh_fast_allocate(&heap->heap, granules);

		if (BH_UNLIKELY(!block))
			block = bh_heap_allocate(&heap->heap, granules);
		if (BH_LIKELY(block)) {
			void *address = bh_heap_address(&heap->heap, block);

			bh_probe_alloc(heap, address, size);
			return address;
		}
	}
	return alloc_through_door(heap, BH_GRANULE, size);
}

void *bheap_alloc(bheap_t *heap, size_t size)
{
	return bh_alloc(heap, size);
}

void *bheap_calloc(bheap_t *heap, size_t count, size_t size)
{
	size_t total;
	void *block;

	if (__builtin_mul_overflow(count, size, &total))
		return refuse(heap ? ENOMEM : EINVAL);
	block = bh_alloc(heap, total);
	return block ? memset(block, 0, total) : NULL;
}

void *bheap_aligned_alloc(bheap_t *heap, size_t alignment, size_t size)
{
	if (!alignment || (alignment & (alignment - 1)))
		return refuse(EINVAL);
	return alignment <= BH_GRANULE ? bh_alloc(heap, size)
				       : alloc_through_door(heap, alignment, size);
}

/* ---- free ---- */

BH_COLD
static int free_through_door(bheap_t *heap, void *ptr)
{
	struct bh_visit visit;
	uint32_t block;

	if (!bh_enter_to_change(&visit, heap))
		return -1;
	block = bh_heap_find(&heap->heap, ptr);
	if (block)
		bh_give_back(&visit, block);
	else
		bh_note_bad_pointer(&visit, ptr);
	bh_leave(&visit);
	if (!block)
		errno = EINVAL;
	return block ? 0 : -1;
}

int bh_free(bheap_t *heap, void *ptr)
{
	if (BH_LIKELY(heap && bh_may_pass(heap))) {
		uint32_t block = bh_heap_find(&heap->heap, ptr);

		if (BH_LIKELY(block && bh_fast_release(&heap->heap, block) == BH_DONE)) {
			bh_probe_free(heap, ptr);
			return 0;
		}
	}
	return free_through_door(heap, ptr);
}

int bheap_free(bheap_t *heap, void *ptr)
{
	if (BH_LIKELY(heap && ptr))
		return bh_free(heap, ptr);
	if (!heap)
		errno = EINVAL;
	return heap ? 0 : -1;
}

/* ---- resize ---- */

/* A block that now has room for size bytes where it is: its trailer and annotations follow. */
static void block_redress(bheap_t *heap, uint32_t block, size_t old_usable, size_t size,
			  uint32_t owner)
{
	void *address = bh_heap_address(&heap->heap, block);

	if (heap->annotated)
		bh_annotate_resize(heap, address, old_usable, size);
	if (heap->trailers)
		bh_trailer_write(&heap->heap, heap->key, block,
				 bh_heap_granules(&heap->heap, block), size ? size : BH_GRANULE,
				 owner);
}

static enum bh_status resize_in_place(struct bh_visit *visit, uint32_t block, size_t size)
{
	bheap_t *heap = visit->heap;
	uint32_t granules = bh_heap_granules(&heap->heap, block);
	size_t old_usable = bh_usable(heap, block, granules);
	uint32_t owner = 0;
	unsigned heals = HEALS_MAX;
	enum bh_status status;

	trailer_verify(visit, block, granules);
	if (heap->trailers)
		owner = bh_trailer_owner(&heap->heap, heap->key, block, granules);
	bh_shared_touch(heap, block, owner);
	bh_fill_meet(visit, block, block + granules);
	do {
		bh_fill_watch(visit);
		status = bh_heap_resize(&heap->heap, block, bh_request_granules(heap, size));
	} while (status == BH_DAMAGED && bh_heal(visit) && --heals);
	if (status != BH_DONE)
		return status;
	bh_fill_resized(visit, block + granules, bh_map_next(&heap->heap.map, block));
	block_redress(heap, block, old_usable, size, owner);
	return BH_DONE;
}

/* Slides with the free memory in front open to the copy. */
static enum bh_status block_slide(struct bh_visit *visit, uint32_t *block, size_t kept, size_t size)
{
	bheap_t *heap = visit->heap;
	struct bh_heap *blocks = &heap->heap;
	void *old = bh_heap_address(blocks, *block);
	uint32_t end = bh_map_next(&blocks->map, *block);
	uint32_t front = bh_map_previous(&blocks->map, *block);
	size_t front_size = bh_bytes(*block - front);
	bool opens = heap->annotated && !bh_map_is_used(&blocks->map, front);
	enum bh_status status;

	bh_fill_slides(visit, *block);
	if (opens)
		bh_annotate_open(bh_heap_address(blocks, front), front_size);
	status = bh_heap_slide(blocks, block, bh_request_granules(heap, size), kept);
	if (opens && status == BH_DONE)
		bh_annotate_moved(heap, old, bh_heap_address(blocks, *block), kept,
				  bh_heap_address(blocks, end));
	else if (opens)
		bh_annotate_close(bh_heap_address(blocks, front), front_size);
	if (status == BH_DONE)
		bh_fill_resized(visit, end, bh_map_next(&blocks->map, *block));
	return status;
}

/* Down over the free block in front: the last resort when there is no room elsewhere. */
static void *resize_by_slide(bheap_t *heap, uint32_t block, size_t kept, size_t size)
{
	const void *old = bh_heap_address(&heap->heap, block);
	struct bh_visit visit;
	unsigned heals = HEALS_MAX;
	enum bh_status status;

	if (!heap->heap.slides || !bh_enter_to_change(&visit, heap))
		return NULL;
	do {
		status = block_slide(&visit, &block, kept, size);
	} while (status == BH_DAMAGED && bh_heal(&visit) && --heals);
	if (status == BH_DONE) {
		block_redress(heap, block, kept, size, bh_shared_owner(heap));
		bh_probe_free(heap, old);
		bh_probe_alloc(heap, bh_heap_address(&heap->heap, block), size);
		heap->heap.control->failures--; /* the copy that found no room was not the last word */
	}
	bh_leave(&visit);
	return status == BH_DONE ? bh_heap_address(&heap->heap, block) : NULL;
}

/* By a copy; else by a slide. The block is as it was when neither finds room. */
static void *resize_by_move(bheap_t *heap, uint32_t block, size_t kept, size_t size)
{
	void *old = bh_heap_address(&heap->heap, block);
	void *moved = bh_alloc(heap, size);

	if (moved) {
		memcpy(moved, old, kept);
		bh_free(heap, old);
		return moved;
	}
	moved = resize_by_slide(heap, block, kept, size);
	return moved ? moved : refuse(ENOMEM);
}

BH_COLD
static void *realloc_through_door(bheap_t *heap, void *ptr, size_t size)
{
	struct bh_visit visit;
	enum bh_status status = BH_NO_ROOM;
	size_t kept = 0;
	uint32_t block;

	if (!bh_enter_to_change(&visit, heap))
		return NULL;
	block = bh_heap_find(&heap->heap, ptr);
	if (block) {
		kept = bh_usable(heap, block, bh_heap_granules(&heap->heap, block));
		if (size <= bh_heap_size(&heap->heap))
			status = resize_in_place(&visit, block, size);
		if (status != BH_DONE && heap->annotated)
			bh_annotate_claim(heap, ptr, kept);
	} else {
		bh_note_bad_pointer(&visit, ptr);
	}
	bh_leave(&visit);
	if (!block)
		return refuse(EINVAL);
	return status == BH_DONE ? ptr
				 : resize_by_move(heap, block, kept < size ? kept : size, size);
}

void *bheap_realloc(bheap_t *heap, void *ptr, size_t size)
{
	if (BH_UNLIKELY(!ptr))
		return bh_alloc(heap, size);
	if (BH_LIKELY(heap && bh_may_pass(heap))) {
		uint32_t block = bh_heap_find(&heap->heap, ptr);

		if (BH_LIKELY(block && bh_heap_resize(&heap->heap, block, bh_granules(size)) ==
					       BH_DONE))
			return ptr;
	}
	return realloc_through_door(heap, ptr, size);
}
