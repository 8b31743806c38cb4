/* SPDX-License-Identifier: MIT */
/*
 * cache.h - each thread's own small blocks that were freed a moment ago, to be handed out again
 * without lock or heap. For the heap they are live. Keeps: a bin holds blocks of just its size; a
 * cached block bears a mark that no other content has, so that freeing it again is seen; what one
 * thread keeps is bounded, and given back when the thread ends. Refuses guarded heaps.
 */
#ifndef TOOLS_CACHE_H
#define TOOLS_CACHE_H

#include <stdint.h>

#include "budget.h"

/* Bins for 1 to so many granules. */
#define CACHE_CLASSES 64
#define CACHE_SIZE_MAX ((size_t)CACHE_CLASSES * BHEAP_ALIGNMENT)

/* The first bytes of a cached block: the smallest has just room for them. */
struct cache_node {
	struct cache_node *next;
	uintptr_t mark;
};
_Static_assert(sizeof(struct cache_node) <= BHEAP_ALIGNMENT, "a node fits in a granule");

struct cache_bin {
	struct cache_node *first;
	unsigned room; /* how many more it takes; 0 too while there is no cache */
	unsigned fill; /* how many it is filled up with next */
};

enum cache_state { CACHE_NEW, CACHE_ON, CACHE_OFF };

struct cache {
	struct cache_bin bins[CACHE_CLASSES + 1]; /* by granules; that of 0 stays empty */
	enum cache_state state;
};

extern __thread struct cache cache __attribute__((tls_model("initial-exec")));
extern uintptr_t cache_secret;

/* Before any thread can end. */
void cache_set_up(void);

/* A block into a bin that has no room: false if it must go to the heap. */
bool cache_put_slowly(void *ptr, size_t granules);

/*
 * Inside: takes a few more blocks from the heap, while they cost no further
 * lock: none for a size that is asked for once, more each time.
 */
void cache_fill(bheap_t *heap, size_t granules);

/* All of this thread's blocks go to the heap; it keeps none from now on. */
void cache_end(void);

/* What this thread keeps, without touching it. */
void cache_count(size_t *blocks, size_t *size);

static inline size_t cache_granules(size_t size)
{
	return (size + BHEAP_ALIGNMENT - 1) / BHEAP_ALIGNMENT;
}

static inline uintptr_t cache_mark(const void *ptr)
{
	return (uintptr_t)ptr ^ cache_secret;
}

/* True if a live block of at most CACHE_SIZE_MAX bytes is in a cache of any thread. */
static inline bool cache_holds(const void *ptr)
{
	return UNLIKELY(((const struct cache_node *)ptr)->mark == cache_mark(ptr));
}

/* NULL: the heap has to make one. */
static inline void *cache_take(size_t size)
{
	size_t granules = cache_granules(size);
	struct cache_node *node;

	if (UNLIKELY(granules > CACHE_CLASSES))
		return NULL;
	node = cache.bins[granules].first;
	if (LIKELY(node)) {
		cache.bins[granules].first = node->next;
		cache.bins[granules].room++;
		node->mark = 0;
	}
	return node;
}

/* Takes a live block of so many usable bytes; false if its bin has no room. */
static inline bool cache_put(void *ptr, size_t usable)
{
	struct cache_bin *bin = &cache.bins[usable / BHEAP_ALIGNMENT];
	struct cache_node *node = ptr;

	if (UNLIKELY(!bin->room))
		return false;
	node->next = bin->first;
	node->mark = cache_mark(ptr);
	bin->first = node;
	bin->room--;
	return true;
}

#endif
