/* SPDX-License-Identifier: MIT */
/*
 * growth.h - the heap of libbheap-malloc inside the library: the mapping behind it, no more than
 * what is in use, and an eighth; the caches, when they must be empty.
 */
#ifndef TOOLS_GROWTH_H
#define TOOLS_GROWTH_H

#include <bheap.h>

/* The heap of the size asked for, or, if that is 0, the largest; NULL with errno. */
bheap_t *growth_create(size_t *size, unsigned flags);

/* Inside: empties the caches; true if they had blocks. */
bool growth_settle(bheap_t *heap);

/* In the child of a fork, with the lock: what other threads of the parent had in caches is free. */
void growth_fork(bheap_t *heap);

/* No block lies above it. */
const char *growth_top(const bheap_t *heap);

/* The first address behind what is mapped now. */
const char *growth_end(const bheap_t *heap);

/* Inside: bytes in live blocks. */
size_t growth_used(const bheap_t *heap);

/*
 * Inside: free memory at the end of the heap, where blocks were, goes back to the system, but for a
 * part. fresh: no block ever reached this address. Keeps errno.
 */
void growth_cut(const bheap_t *heap, const char *fresh);

/*
 * Inside: maps more where the last live block is to become larger than what is mapped, so that it
 * stays where it is. ptr: any pointer. Keeps errno.
 */
void growth_reach(bheap_t *heap, const void *ptr, size_t size);

/* Inside: a request was refused for good. */
void growth_refused(const bheap_t *heap);

/* Inside: what lies far behind the last live block is unmapped. Keeps errno. */
void growth_shorten(bheap_t *heap);

#endif
