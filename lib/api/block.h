/* SPDX-License-Identifier: MIT */
/*
 * block.h - what is done to one block between entry and exit of a call, below the choice of a
 * free block and the caches.
 */
#ifndef BH_BLOCK_H
#define BH_BLOCK_H

#include "handle/caches.h"
#include "handle/enter.h"

/* The live block that starts at an address and that the program did not free; or 0. */
uint32_t bh_block_find(const bheap_t *heap, const void *ptr);

/* Notes the fault of a pointer that bh_block_find() finds no block for. */
void bh_block_note_bad_pointer(struct bh_call *call, const void *ptr);

/* Trailer and annotations of a block just allocated for a request of so many bytes. */
void bh_block_finish(const bheap_t *heap, uint32_t block, size_t size);

/* What a report says of the granule before the first block. */
#define BH_BLOCK_FRONT_WRITTEN "those in front of the first block"

/* True if no seal lies there, or if it was not written to. */
static inline bool bh_block_front_is_intact(const bheap_t *heap)
{
	return !heap->trailers || !bh_handle_front_size(heap) ||
	       bh_trailer_front_is_intact(&heap->core, heap->key);
}

/*
 * Notes a broken trailer of a live block, and rewrites it, since a block that is moved is verified
 * again.
 */
void bh_block_verify_trailer(struct bh_call *call, uint32_t block, uint32_t granules);

/*
 * Frees a live block of whose content nothing is asked, and which nobody is told of; rebuilds the
 * index where it meets damage. If damage comes back as often as that, it goes by the map alone: it
 * never fails.
 */
void bh_block_release(struct bh_call *call, uint32_t block);

/* Frees a live block, noting a broken trailer first, and written memory. */
void bh_block_free_entered(struct bh_call *call, uint32_t block);

/* Counts a request that is refused for want of room. Of an entered heap. */
void bh_block_count_refusal(const bheap_t *heap, size_t size);

#endif
