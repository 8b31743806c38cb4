/* SPDX-License-Identifier: MIT */
/*
 * storage.h - which parts of a heap's file have storage: on a full disk a page without is a SIGBUS,
 * for its writer and for every process that recovers the heap after it. All live blocks have it
 * whole, and each free block where the library writes to it: its first granule. What lies below
 * head->reserved has it, unless head->holes: then free blocks may have holes (bheap_trim()).
 * Nothing is done for memory without a disk (bh_core.prepare is NULL).
 */
#ifndef BH_STORAGE_H
#define BH_STORAGE_H

#include "handle/handle.h"
#include "os/file.h"

/* A handle of a shared heap, with what only the owner of a descriptor needs. */
struct bh_storage_handle {
	bheap_t heap;
	struct bh_file_id file; /* that heap.region.fd was open on */
	uint64_t fork_mark;     /* bh_fork_mark() when it was attached */
	bool refused;           /* the last request for storage, by a full disk */
};

static inline struct bh_storage_handle *bh_storage_handle(const bheap_t *heap)
{
	BH_ASSERT(heap->shared);
	return (struct bh_storage_handle *)(void *)heap;
}

/* bh_core.prepare of shared heaps. */
bool bh_storage_take(struct bh_core *core, uint32_t from, uint32_t to);

/* Storage for the bookkeeping of a new heap, or for all of it (BHEAP_PREALLOCATE); false with
 * errno. */
bool bh_storage_of_new(bheap_t *heap);

/*
 * Storage for all blocks, for the first to attach: the file may have been copied without its zeros.
 * False with ENOSPC.
 */
bool bh_storage_of_blocks(bheap_t *heap);

/* Before the whole pages behind the first granule of a free block lose their storage. */
void bh_storage_forget(const bheap_t *heap, uint32_t block, uint32_t next);

/* For the holder of the lock: clears, or tells, whether a request was refused by a full disk. */
static inline void bh_storage_refusal_clear(const bheap_t *heap)
{
	if (heap->shared)
		bh_storage_handle(heap)->refused = false;
}

static inline bool bh_storage_was_refused(const bheap_t *heap)
{
	return heap->shared && bh_storage_handle(heap)->refused;
}

#endif
