/* SPDX-License-Identifier: MIT */
/*
 * api.h - the block functions under hidden names, for the rooms above: a library that called its
 * exported names could be led astray by a program that has a bfree() of its own.
 */
#ifndef BH_API_H
#define BH_API_H

#include <errno.h>

#include "handle.h"

/* Damage met again after so many rebuilds in one call: someone is writing right now. */
#define BH_DAMAGE_REBUILDS_MAX 3

static inline void *bh_block_refuse(int error)
{
	errno = error;
	return NULL;
}

void *bh_block_alloc(bheap_t *heap, size_t size);

/* NULL is no block, and no mistake. */
int bh_block_free(bheap_t *heap, void *ptr);

/* A private heap; NULL with errno. */
bheap_t *bh_create(size_t size, unsigned flags);

/* Ends a heap of any kind, the default one too. */
int bh_destroy(bheap_t *heap);

/* Prints the blocks and the totals; 0, or -1 with errno. */
int bh_show(const bheap_t *heap, FILE *stream);

/* A pointer that is no live block: what it is instead. */
void bh_block_note_bad_pointer(struct bh_call *call, const void *ptr);

/*
 * A block, dressed with trailer and annotations, or 0 (no room); heals on the way. For those
 * inside the door.
 */
uint32_t bh_block_alloc_entered(struct bh_call *call, size_t alignment, size_t size);

/* Reports a broken trailer, and seals it anew: a block that is to be moved comes here again. */
void bh_block_verify_trailer(struct bh_call *call, uint32_t block, uint32_t granules);

/*
 * Frees a live block, reporting a broken trailer first; heals on the way. False if damage comes back as
 * often as it is healed: the block is live still.
 */
bool bh_block_free_entered(struct bh_call *call, uint32_t block);

#endif
