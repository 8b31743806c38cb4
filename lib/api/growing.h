/* SPDX-License-Identifier: MIT */
/*
 * growing.h - a private heap of which only a part is mapped, from its front to a little behind what
 * is in use; for libbheap-malloc.so. What asks for its size, or walks it, sees it as it may become.
 * Refuses heaps with guards or annotations: all of these is mapped at once.
 */
#ifndef BH_GROWING_H
#define BH_GROWING_H

#include "handle/handle.h"

/*
 * As bheap_create(). reserved: NULL with ENOMEM if the address space has no room for all of it now;
 * else only the front must fit. With BHEAP_CACHED and BHEAP_UNLOCKED, which no public function
 * accepts together, the caller has the lock and the calls of caches.h and cached.h.
 */
bheap_t *bh_growing_create(size_t size, unsigned flags, bool reserved);

/*
 * Maps more behind the top, so that a request of so many bytes finds room; false if there cannot be
 * more. Keeps errno.
 */
bool bh_growing_extend(bheap_t *heap, size_t alignment, size_t size);

/* Unmaps the end of a large top. Keeps errno. */
void bh_growing_shorten(bheap_t *heap);

#endif
