/* SPDX-License-Identifier: MIT */
/*
 * heap.h - one heap and the operations on it, in granules. Every operation is an ordered run of
 * map stores (HACKING.md), checks of free-list links before the first of them, and updates of
 * derived state after. Refuses to know locks, errno and mmap.
 */
#ifndef BH_HEAP_H
#define BH_HEAP_H

#include "layout.h"

/* This process's view: pointers and limits, the same for the life of the handle. */
struct bh_heap {
	struct bh_bins bins;
	struct bh_map map;
	struct bh_control *control;
	uint32_t end;             /* one past the last user granule: a used sentinel */
	bool realtime;            /* never search a whole bin */
	bool slides;              /* a resize may move a block down over itself: no process shares the heap */
};

enum bh_status {
	BH_DONE,
	BH_NO_ROOM,
	BH_DAMAGED,               /* a free block was written to: nothing was changed; rebuild, then again */
};

/* Points the view at a region of this layout. */
void bh_heap_view(struct bh_heap *heap, char *region, const struct bh_layout *layout);

/* Makes one free block of a region whose bookkeeping is zero. */
void bh_heap_format(struct bh_heap *heap);

/* A block, or 0: no room, or (bins.damaged is set) damage. */
uint32_t bh_heap_allocate(struct bh_heap *heap, size_t granules);

/* The same with its address a multiple of alignment, a power of two above a granule. */
uint32_t bh_heap_allocate_aligned(struct bh_heap *heap, size_t alignment, size_t granules);

enum bh_status bh_heap_release(struct bh_heap *heap, uint32_t block);

/* In place, or BH_NO_ROOM. */
enum bh_status bh_heap_resize(struct bh_heap *heap, uint32_t block, size_t granules);

/*
 * Grows a block into the free block before it (and after it). The content, kept bytes, moves down;
 * killed on the way the content is torn, so only for heaps that die with the process.
 */
enum bh_status bh_heap_slide(struct bh_heap *heap, uint32_t *block, size_t granules, size_t kept);

/* Merges adjacent free blocks and makes all derived state anew from the map. */
void bh_heap_rebuild(struct bh_heap *heap);

static inline void *bh_heap_address(const struct bh_heap *heap, uint32_t granule)
{
	return heap->bins.base + bh_bytes(granule);
}

static inline char *bh_heap_start(const struct bh_heap *heap)
{
	return bh_heap_address(heap, BH_FIRST);
}

static inline size_t bh_heap_size(const struct bh_heap *heap)
{
	return bh_bytes(heap->bins.span);
}

/* A reference that means the same wherever the heap is mapped: bytes from granule 0; 0 is none. */
static inline uint64_t bh_heap_offset(const struct bh_heap *heap, const void *address)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)bh_heap_start(heap);

	return offset < bh_heap_size(heap) ? offset + bh_bytes(BH_FIRST) : 0;
}

static inline void *bh_heap_pointer(const struct bh_heap *heap, uint64_t offset)
{
	if (offset - bh_bytes(BH_FIRST) >= bh_heap_size(heap))
		return NULL;
	return heap->bins.base + offset;
}

/* The granule that starts at an address, or 0. */
static inline uint32_t bh_heap_granule(const struct bh_heap *heap, const void *address)
{
	uintptr_t offset = (uintptr_t)address - (uintptr_t)heap->bins.base;
	/* Turned round, so that what is misaligned is out of range too. */
	uintptr_t granule = offset >> BH_GRANULE_SHIFT |
			    offset << (sizeof(offset) * CHAR_BIT - BH_GRANULE_SHIFT);

	return BH_LIKELY(granule - BH_FIRST < heap->bins.span) ? (uint32_t)granule : 0;
}

/* The allocated block that starts at an address, or 0. Does not look at the memory there. */
static inline uint32_t bh_heap_find(const struct bh_heap *heap, const void *address)
{
	uint32_t granule = bh_heap_granule(heap, address);

	return BH_LIKELY(granule && bh_map_is_live(&heap->map, granule)) ? granule : 0;
}

/*
 * The block that a granule lies in. The top may be most of the heap, so it is not searched for;
 * any other block is, in one step for each KiB of it before the granule.
 */
static inline uint32_t bh_heap_around(const struct bh_heap *heap, uint32_t granule)
{
	uint32_t top = heap->control->top;

	return granule >= top && top >= BH_FIRST && bh_map_is_start(&heap->map, top)
		       ? top
		       : bh_map_around(&heap->map, granule);
}

static inline uint32_t bh_heap_granules(const struct bh_heap *heap, uint32_t block)
{
	return bh_map_next(&heap->map, block) - block;
}

#endif
