/* SPDX-License-Identifier: MIT */
/*
 * cached.h - what goes back from the caches of a heap to its blocks, between entry and exit of a
 * call: some of one cache, or all of all before anything exact is done.
 */
#ifndef BH_CACHED_H
#define BH_CACHED_H

#include "api/block.h"

/*
 * In the child of a fork: what caches and threads of the parent had goes back to the heap. Before a
 * call allocates the first block, for that may be one that was on its way.
 */
void bh_cached_inherit(struct bh_call *call);

/*
 * Frees the oldest blocks of a size, in the order in which they were put. Those that were written
 * to are dropped and reported, and stay once the call is full.
 */
void bh_cached_flush_oldest(struct bh_call *call, struct bh_cache *cache, size_t granules,
			    unsigned count);

/* As above, of one block that the caller takes out of its cache; false if it stays there. */
bool bh_cached_flush_block(struct bh_call *call, uint32_t block, size_t granules);

/* As above, of all that a cache has; true if it had anything. */
bool bh_cached_flush(struct bh_call *call, struct bh_cache *cache);

/* Closes the caches until the call ends. */
void bh_cached_close(struct bh_call *call);

/*
 * Frees all cached blocks, and keeps the caches closed until the call ends; true if there were any.
 * A heap without caches has none.
 */
bool bh_cached_settle(struct bh_call *call);

/* What the caches have, and have done since they were emptied last. */
struct bh_cached_count {
	size_t blocks;
	size_t granules;
	uint64_t calls; /* blocks that they handed out; as many were freed, but for those they have
			 */
};

/* While threads go on: what they do meanwhile may be missing. */
struct bh_cached_count bh_cached_counted(const bheap_t *heap);

/* Exact: the caches are closed until the call ends, and not emptied. 0 after bh_cached_keep(). */
struct bh_cached_count bh_cached_count_closed(struct bh_call *call);

/*
 * For the end of a process, perhaps in a signal handler: from now on nothing empties the caches,
 * and figures have them as allocated.
 */
struct bh_cached_count bh_cached_keep(bheap_t *heap);

/* True if all that is cached is live and was not written to; else *block is one that is not. */
bool bh_cached_verify(struct bh_call *call, uint32_t *block);

/* bh_enter() for a call that needs exact figures; as bh_enter_to_change(), and bh_enter_to_walk().
 */
static inline bool bh_cached_enter(struct bh_call *call, const bheap_t *heap)
{
	bool entered = bh_enter(call, heap);

	if (entered)
		bh_cached_settle(call);
	return entered;
}

static inline bool bh_cached_enter_to_change(struct bh_call *call, bheap_t *heap)
{
	bool entered = bh_enter_to_change(call, heap);

	if (entered)
		bh_cached_settle(call);
	return entered;
}

static inline bool bh_cached_enter_to_walk(struct bh_call *call, const bheap_t *heap)
{
	bool entered = bh_enter_to_walk(call, heap);

	if (entered)
		bh_cached_settle(call);
	return entered;
}

#endif
