/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - the block functions: arguments, errno, and the way into the heap. bh_block_alloc() and
 * bh_block_free() are the fast path: no trailer, no annotation, no lock needed, and no stack frame,
 * for they call nothing but what they end with (tests/frames.sh). If it cannot complete, it changes
 * nothing and tail-calls the slow path, which does the whole. An exported name is an alias of the
 * hidden function: no copy, no jump.
 */
#include "api/blocks.h"

#include <errno.h>
#include <string.h>

#include "api/batch.h"
#include "api/guarded.h"
#include "api/refusal.h"
#include "api/request.h"
#include "core/alloc.h"
#include "core/free.h"
#include "core/probe.h"

/* ---- allocate ---- */

bool bh_block_is_same(bheap_t *heap, uint32_t block, uint32_t mark)
{
	struct bh_call call;
	bool same;

	if (!bh_enter(&call, heap))
		return false;
	same = bh_block_find(heap, bh_core_address(&heap->core, block)) &&
	       bh_block_mark(heap, block) == mark;
	bh_leave(&call);
	return same;
}

BH_NOINLINE
void *bh_block_alloc_once(bheap_t *heap, size_t alignment, size_t size)
{
	struct bh_call call;
	uint32_t block, mark = 0;
	int error;

	if (!bh_enter_to_change(&call, heap))
		return NULL;
	block = bh_request_serve_cached(&call, alignment, size);
	if (block && call.count)
		mark = bh_block_mark(heap, block);
	error = bh_request_refusal(&call);
	bh_leave(&call);
	/* The address that was written to after it was freed is that of the new block. */
	if (BH_UNLIKELY(!block) || (call.count && !bh_block_is_same(heap, block, mark)))
		return bh_block_refuse(error);
	return bh_core_address(&heap->core, block);
}

/* The whole, the calls of a refusal handler included. */
BH_NOINLINE
static void *alloc_slow(bheap_t *heap, size_t alignment, size_t size)
{
	struct bh_refusal_tries tries = bh_refusal_begin();
	void *block;

	do
		block = bh_block_alloc_once(heap, alignment, size);
	while (!block && bh_refusal_retry(heap, &tries, alignment, size));
	return block;
}

/*
 * Refuses a request that found no free block. False, and nothing done, if the slow path may find
 * one: damage was met, the size is 0, or a handler or caches can make room.
 */
static bool search_is_refused(const bheap_t *heap, size_t size)
{
	if (heap->core.bins.damaged || !size || bh_handle_has_refusal_handler(heap) ||
	    bh_handle_is_cached(heap))
		return false;
	bh_block_count_refusal(heap, size);
	return true;
}

static void *alloc_failed(bheap_t *heap, size_t size)
{
	return search_is_refused(heap, size) ? bh_block_refuse(ENOMEM)
					     : alloc_slow(heap, BH_GRANULE, size);
}

/* Fast path with a frame: the whole choice of a free block. */
BH_NOINLINE
static void *alloc_by_search(bheap_t *heap, size_t size)
{
	uint32_t block = bh_alloc_block(&heap->core, bh_granules(size));

	if (BH_UNLIKELY(!block))
		return alloc_failed(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

/* Fast path of a small request that neither the bin of its size nor the victim can serve. */
BH_NOINLINE
static void *alloc_by_split(bheap_t *heap, size_t size)
{
	uint32_t block = bh_alloc_fast_split(&heap->core, (uint32_t)bh_granules(size));

	if (!block)
		return alloc_by_search(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

/* Fast path of a small request for which the bin of its size has a block. */
BH_NOINLINE
static void *alloc_exact(bheap_t *heap, size_t size, size_t granules)
{
	uint32_t block = bh_alloc_exact(&heap->core, (uint32_t)granules, BH_ALLOC_FAST);

	if (BH_UNLIKELY(!block))
		return alloc_by_search(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

/* Trylock path. */
BH_NOINLINE
static void *alloc_trylock(bheap_t *heap, size_t size)
{
	enum bh_lock_tried tried = bh_enter_trylock(heap);
	uint32_t block = 0;
	bool refused = false;

	if (tried) {
		if (BH_LIKELY(bh_caches_are_inherited(heap)))
			block = bh_alloc_fast(&heap->core, bh_granules(size));
		refused = !block && search_is_refused(heap, size);
		if (BH_LIKELY(block))
			bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
		bh_leave_trylock(heap, tried);
	}
	if (BH_LIKELY(block))
		return bh_core_address(&heap->core, block);
	return refused ? bh_block_refuse(ENOMEM) : alloc_slow(heap, BH_GRANULE, size);
}

/* From this thread's cache. What the cache cannot do is done with the lock. */
BH_NOINLINE
static void *alloc_cached_fenced(bheap_t *heap, size_t size)
{
	size_t granules = bh_granules(size);
	void *block = NULL;

	if (granules - 1 >= BH_CACHE_GRANULES)
		return alloc_trylock(heap, size);
	if (bh_caches_are_fenced(heap))
		block = bh_cache_take(heap, granules, bh_cache_begin_fenced);
	else if (bh_cache_is_bypassed(heap))
		return alloc_trylock(heap, size);
	if (BH_UNLIKELY(!block))
		return alloc_slow(heap, BH_GRANULE, size);
	bh_probe_alloc(heap, block, size);
	return block;
}

BH_NOINLINE
static void *alloc_cached(bheap_t *heap, size_t size)
{
	size_t granules = bh_granules(size);
	void *block = NULL;

	if (BH_LIKELY(granules - 1 < BH_CACHE_GRANULES))
		block = bh_cache_take(heap, granules, bh_cache_begin);
	if (BH_UNLIKELY(!block))
		return alloc_cached_fenced(heap, size);
	bh_probe_alloc(heap, block, size);
	return block;
}

/* Where the lock may not be skipped, as free_threaded(). */
static inline void *alloc_threaded(bheap_t *heap, size_t size, unsigned skip_lock)
{
	if (skip_lock == BH_SKIP_LOCK_CACHED)
		return alloc_cached(heap, size);
	return skip_lock == BH_SKIP_LOCK_GUARDED ? bh_guarded_alloc(heap, size, alloc_slow)
						 : alloc_trylock(heap, size);
}

void *bh_block_alloc(bheap_t *heap, size_t size)
{
	size_t granules = bh_granules(size);
	unsigned skip_lock;
	uint32_t block;

	if (BH_UNLIKELY(!heap))
		return alloc_slow(heap, BH_GRANULE, size);
	skip_lock = bh_handle_skips(heap);
	if (BH_UNLIKELY(!bh_may_skip_lock_by(heap, skip_lock)))
		return alloc_threaded(heap, size, skip_lock);
	if (granules >= heap->core.bins.exact_limit)
		return alloc_by_search(heap, size);
	if (bh_alloc_has_exact(&heap->core, granules))
		return alloc_exact(heap, size, granules);
	block = bh_alloc_fast_cut(&heap->core, (uint32_t)granules);
	if (!block)
		return alloc_by_split(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

extern __typeof(bh_block_alloc) bheap_alloc __attribute__((alias("bh_block_alloc")));

void *bheap_calloc(bheap_t *heap, size_t count, size_t size)
{
	size_t total; /* or one that is refused */
	bool overflows = __builtin_mul_overflow(count, size, &total);
	void *block = bh_block_alloc(heap, overflows ? SIZE_MAX : total);

	return block ? memset(block, 0, total) : NULL;
}

void *bh_block_alloc_aligned(bheap_t *heap, size_t alignment, size_t size)
{
	return alignment <= BH_GRANULE ? bh_block_alloc(heap, size)
				       : alloc_slow(heap, alignment, size);
}

void *bheap_aligned_alloc(bheap_t *heap, size_t alignment, size_t size)
{
	return bh_is_power_of_two(alignment) ? bh_block_alloc_aligned(heap, alignment, size)
					     : bh_block_refuse(EINVAL);
}

/* ---- free ---- */

BH_NOINLINE
static int free_slow(bheap_t *heap, void *ptr)
{
	struct bh_call call;
	uint32_t block;

	if (heap && !ptr)
		return 0;
	if (!bh_enter_to_change(&call, heap))
		return -1;
	block = bh_block_find(heap, ptr);
	if (!block)
		bh_block_note_bad_pointer(&call, ptr);
	else if (bh_batch_put(&call, block))
		bh_probe_free(heap, ptr);
	else
		bh_block_free_entered(&call, block);
	bh_leave(&call);
	if (!block)
		errno = EINVAL;
	return block ? 0 : -1;
}

/* The fast path knows only the core, which is the first field of a heap. */
static int core_free_slow(struct bh_core *core, void *ptr)
{
	return free_slow((bheap_t *)(void *)core, ptr);
}

/* Of a fast path that may not take the slow path before the lock is released. */
static int free_is_left(struct bh_core *core, void *ptr)
{
	(void)core;
	(void)ptr;
	return -1;
}

/* Trylock path. */
BH_NOINLINE
static int free_trylock(bheap_t *heap, void *ptr)
{
	enum bh_lock_tried tried = bh_enter_trylock(heap);
	int left = -1;

	if (tried) {
		left = bh_free_fast(&heap->core, ptr, free_is_left);
		bh_leave_trylock(heap, tried);
	}
	return BH_LIKELY(!left) ? 0 : free_slow(heap, ptr);
}

/* Into this thread's cache. What the cache cannot do is done with the lock. */
BH_NOINLINE
static int free_cached_fenced(bheap_t *heap, void *ptr)
{
	uint32_t granules = bh_cache_granules_of(heap, ptr);

	if (granules && bh_cache_is_marked(bh_caches(heap), ptr, granules))
		return free_slow(heap, ptr);
	if (!granules || bh_cache_is_bypassed(heap))
		return free_trylock(heap, ptr);
	if (!bh_caches_are_fenced(heap) ||
	    !bh_cache_put(heap, ptr, bh_core_granule(&heap->core, ptr), granules,
			  bh_cache_begin_fenced))
		return free_slow(heap, ptr);
	bh_probe_free(heap, ptr);
	return 0;
}

BH_NOINLINE
static int free_cached(bheap_t *heap, void *ptr)
{
	uint32_t granules = bh_cache_granules_of(heap, ptr);

	if (BH_UNLIKELY(!granules) ||
	    BH_UNLIKELY(!bh_cache_put(heap, ptr, bh_core_granule(&heap->core, ptr), granules,
				      bh_cache_begin)))
		return free_cached_fenced(heap, ptr);
	bh_probe_free(heap, ptr);
	return 0;
}

static inline int free_threaded(bheap_t *heap, void *ptr, unsigned skip_lock)
{
	if (skip_lock == BH_SKIP_LOCK_CACHED)
		return free_cached(heap, ptr);
	return skip_lock == BH_SKIP_LOCK_GUARDED ? bh_guarded_free(heap, ptr, free_slow)
						 : free_trylock(heap, ptr);
}

int bh_block_free(bheap_t *heap, void *ptr)
{
	unsigned skip_lock;

	if (BH_UNLIKELY(!heap))
		return free_slow(heap, ptr);
	skip_lock = bh_handle_skips(heap);
	if (BH_UNLIKELY(!bh_may_skip_lock_by(heap, skip_lock)))
		return free_threaded(heap, ptr, skip_lock);
	return bh_free_fast(&heap->core, ptr, core_free_slow);
}

extern __typeof(bh_block_free) bheap_free __attribute__((alias("bh_block_free")));
