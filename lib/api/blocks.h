/* SPDX-License-Identifier: MIT */
/*
 * blocks.h - the block functions under hidden names: a library that called its exported names would
 * call the function of a program that has a bfree() of its own.
 */
#ifndef BH_BLOCKS_H
#define BH_BLOCKS_H

#include <errno.h>

#include "api/block.h"

static inline void *bh_block_refuse(int error)
{
	errno = error;
	return NULL;
}

void *bh_block_alloc(bheap_t *heap, size_t size);

/* alignment: a power of two of any size. */
void *bh_block_alloc_aligned(bheap_t *heap, size_t alignment, size_t size);

/* Slow path, without a call of the refusal handler. */
void *bh_block_alloc_once(bheap_t *heap, size_t alignment, size_t size);

/* Frees a block; NULL is accepted. 0, or -1 with errno. */
int bh_block_free(bheap_t *heap, void *ptr);

/*
 * After the reports of a call: true if the block is still the one that it was. A handler may have
 * freed it, and where blocks have trailers a new one in its place has another mark.
 */
bool bh_block_is_same(bheap_t *heap, uint32_t block, uint32_t mark);

/* The mark of a live block: its owner, or a number; 0 without trailers. */
static inline uint32_t bh_block_mark(const bheap_t *heap, uint32_t block)
{
	BH_ASSERT(bh_core_is_live(&heap->core, block));
	if (!heap->trailers)
		return 0;
	return bh_trailer_owner(&heap->core, heap->key, block,
				bh_core_granules(&heap->core, block));
}

#endif
