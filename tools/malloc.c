/* SPDX-License-Identifier: MIT */
/*
 * malloc.c - the C malloc family over one bounded heap: arguments, errno, and what each function
 * promises. Like glibc where the standard leaves a choice: realloc() to 0 bytes frees. Compiled
 * with -fno-builtin, or the compiler would make calloc() of malloc() in calloc().
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/batch.h"
#include "budget.h"
#include "growth.h"
#include "trail.h"

#define EXPORT __attribute__((visibility("default")))

/* Another name of a function, which no other library takes the place of. */
#if defined(__has_attribute) && __has_attribute(copy)
#define ALIAS(function) __attribute__((alias(#function), copy(function)))
#else
#define ALIAS(function) __attribute__((alias(#function)))
#endif

/* Of C23, which the C library may not declare yet. */
void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t alignment, size_t size);

static void *refuse(int error)
{
	errno = error;
	return NULL;
}

static bool is_power_of_two(size_t number)
{
	return number && !(number & (number - 1));
}

/* Granules of the largest blocks that one thread takes several of at once. */
#define FILL_OF_ONE 8

/* Larger blocks are better beside what is made with them, where no lock is saved. */
static size_t fill_most(void)
{
	return __libc_single_threaded ? FILL_OF_ONE : BH_CACHE_GRANULES;
}

/* True if this thread's cache has blocks of this size that it did not serve: they were written to.
 */
static bool cache_is_stuck(const bheap_t *heap, size_t granules)
{
	const struct bh_cache *cache = bh_cache_own(bh_caches(heap));

	return cache && bh_cache_has(bh_caches(heap), cache, granules);
}

/* True if more blocks of a size are wanted, or those that there are must be looked at. */
static bool cache_needs_fill(const bheap_t *heap, size_t granules)
{
	return granules <= BH_CACHE_GRANULES &&
	       (granules <= fill_most() || cache_is_stuck(heap, granules));
}

/*
 * Inside: a few blocks more of a size, side by side, cost many threads no further lock, and what a
 * program walks through fewer pages. Each lies below the top.
 */
static void cache_fill(bheap_t *heap, size_t size)
{
	size_t granules = bh_granules(size);
	struct bh_call call;

	if (!budget.cached || !cache_needs_fill(heap, granules) || !bh_enter(&call, heap))
		return;
	bh_batch_fill(&call, granules);
	bh_leave(&call);
	budget_touch(budget.start, (size_t)(growth_top(heap) - budget.start));
}

/* Inside: what other threads passed on; or NULL. */
static void *cache_refill(bheap_t *heap, size_t size)
{
	size_t granules = bh_granules(size);
	struct bh_call call;
	void *block;

	if (!budget.cached || !bh_cache_is_passed_on(heap, granules) || !bh_enter(&call, heap))
		return NULL;
	block = bh_batch_take(&call, granules);
	bh_leave(&call);
	return block;
}

/* Inside, from the heap. */
static void *block_make_new(bheap_t *heap, size_t size)
{
	void *block = bheap_alloc(heap, size);

	if (LIKELY(block)) {
		budget_made(block, size);
		cache_fill(heap, size);
	}
	return block;
}

/* With the lock. */
static __attribute__((noinline)) void *block_make(size_t size)
{
	bheap_t *heap = budget_heap();
	bool locked = budget_enter();
	void *block = cache_refill(heap, size);

	if (!block)
		block = block_make_new(heap, size);
	budget_leave(locked);
	return LIKELY(block) ? block : budget_refuse(size);
}

/* From this thread's cache, if it can serve the request at once; else NULL. */
static BH_ALWAYS_INLINE void *block_take_cached(size_t size)
{
	const bheap_t *heap = __atomic_load_n(&budget.cached, __ATOMIC_RELAXED);
	size_t granules = bh_granules(size);

	if (UNLIKELY(!heap) || UNLIKELY(granules - 1 >= BH_CACHE_GRANULES))
		return NULL;
	return bh_cache_take(heap, granules, bh_cache_begin);
}

/* What a cache did not serve at once. */
static __attribute__((noinline)) void *block_take_slowly(size_t size)
{
	const bheap_t *heap = __atomic_load_n(&budget.cached, __ATOMIC_RELAXED);
	size_t granules = bh_granules(size);
	void *block = NULL;

	if (heap && bh_caches_are_fenced(heap) && granules - 1 < BH_CACHE_GRANULES)
		block = bh_cache_take(heap, granules, bh_cache_begin_fenced);
	return block ? block : block_make(size);
}

static BH_ALWAYS_INLINE void *block_take(size_t size)
{
	void *block = block_take_cached(size);

	return LIKELY(block) ? block : block_take_slowly(size);
}

static void *block_take_aligned(size_t alignment, size_t size)
{
	bheap_t *heap = budget_heap();
	bool locked = budget_enter();
	void *block = bheap_aligned_alloc(heap, alignment, size);

	if (LIKELY(block))
		budget_made(block, size);
	budget_leave(locked);
	return LIKELY(block) ? block : budget_refuse(size);
}

/*
 * Only what lies below the fresh memory need be cleared; the granule above it may hold a free
 * block's links.
 */
static void *block_make_zeroed(size_t size)
{
	bheap_t *heap = budget_heap();
	bool locked = budget_enter();
	const char *dirty_end =
		budget.guarded ? (const char *)UINTPTR_MAX : budget.fresh + BHEAP_ALIGNMENT;
	char *block = cache_refill(heap, size);
	size_t dirty_size = size;

	if (!block && LIKELY(block = bheap_alloc(heap, size)))
		budget_made(block, size);
	budget_leave(locked);
	if (UNLIKELY(!block))
		return budget_refuse(size);
	if (dirty_end < block + size)
		dirty_size = dirty_end > block ? (size_t)(dirty_end - block) : BHEAP_ALIGNMENT;
	return memset(block, 0, dirty_size < size ? dirty_size : size);
}

static inline void *block_take_zeroed(size_t size)
{
	void *block = block_take_cached(size);

	return LIKELY(block) ? memset(block, 0, size) : block_make_zeroed(size);
}

/* With guards a block's own bytes are asked, which another thread may be checking. */
static __attribute__((noinline)) size_t block_usable_guarded(bheap_t *heap, const void *ptr)
{
	bool locked = budget_enter();
	size_t usable = bheap_usable_size(heap, ptr);

	budget_leave(locked);
	return usable;
}

/*
 * The bytes of a block that its owner may use, 0 if it is none. Needs no lock without guards: of
 * the map only what tells of this block is read, and that is its owner's alone to change.
 */
static inline size_t block_usable(bheap_t *heap, const void *ptr)
{
	return UNLIKELY(budget.guarded) ? block_usable_guarded(heap, ptr)
					: bheap_usable_size(heap, ptr);
}

/* Granules of a live block that a cache may take, or has; else 0. */
static inline uint32_t block_granules(const bheap_t *heap, const void *ptr)
{
	return LIKELY(heap) ? bh_cache_granules_of(heap, ptr) : 0;
}

/* Reports a block that is in a cache, hence freed already; true if it was. */
static bool block_is_cached(const bheap_t *heap, const void *ptr, uint32_t granules)
{
	if (LIKELY(!granules || !bh_cache_is_marked(bh_caches(heap), ptr, granules)))
		return false;
	budget_report_free(ptr);
	return true;
}

/* The heap's fault handler reports a pointer that is no live block; nothing changes then. */
static __attribute__((noinline)) void block_release(void *ptr)
{
	size_t usable = block_usable(budget_heap(), ptr);
	bool locked = budget_enter();

	budget_release(ptr, usable);
	budget_leave(locked);
}

/* Puts a live block into this thread's cache, which gives the heap what it has no room for. */
static bool block_put(bheap_t *heap, void *ptr)
{
	const struct bh_control *control = heap->core.control;
	bool locked = budget_enter(), done = false;
	uint32_t used = control->used;
	struct bh_call call;

	if (bh_enter(&call, heap)) {
		done = bh_batch_put(&call, bh_core_granule(&heap->core, ptr));
		bh_leave(&call);
	}
	budget_freed(bh_bytes(used - control->used));
	budget_leave(locked);
	return done;
}

/* A live block that the cache does not take at once, or what is none. */
static __attribute__((noinline)) void block_give_back_slowly(void *ptr)
{
	bheap_t *heap = __atomic_load_n(&budget.cached, __ATOMIC_RELAXED);
	uint32_t granules = block_granules(heap, ptr);

	if (UNLIKELY(block_is_cached(heap, ptr, granules)))
		return;
	if (granules && bh_caches_are_fenced(heap) &&
	    bh_cache_put(heap, ptr, bh_core_granule(&heap->core, ptr), granules,
			 bh_cache_begin_fenced))
		return;
	if (!granules || bh_cache_is_bypassed(heap) || !block_put(heap, ptr))
		block_release(ptr);
}

/* A heap with caches has no guards. */
static inline void block_give_back(void *ptr)
{
	const bheap_t *heap = __atomic_load_n(&budget.cached, __ATOMIC_RELAXED);
	uint32_t granules = block_granules(heap, ptr);

	if (UNLIKELY(!granules) ||
	    UNLIKELY(!bh_cache_put(heap, ptr, bh_core_granule(&heap->core, ptr), granules,
				   bh_cache_begin)))
		block_give_back_slowly(ptr);
}

static void *block_remake(bheap_t *heap, void *ptr, size_t size)
{
	bool locked = budget_enter();
	void *block;
	int error;

	growth_reach(heap, ptr, size);
	block = bheap_realloc(heap, ptr, size);
	error = errno;
	if (LIKELY(block))
		budget_touch(block, size);
	budget_leave(locked);
	if (LIKELY(block))
		return block;
	return error == ENOMEM ? budget_refuse(size) : refuse(error);
}

static __attribute__((noinline)) void *block_resize(void *ptr, size_t size)
{
	bheap_t *heap = budget_heap();
	uint32_t granules = block_granules(budget.cached, ptr);

	if (UNLIKELY(block_is_cached(heap, ptr, granules)))
		return refuse(EINVAL);
	return granules && granules == bh_granules(size) ? ptr : block_remake(heap, ptr, size);
}

/* ---- calls; stack: who called, as trail.h has it ---- */

static inline void *call_alloc(size_t size, uint32_t stack)
{
	void *block = block_take(size);

	trail_made(block, size, stack);
	return block;
}

static inline void *call_alloc_aligned(size_t alignment, size_t size, uint32_t stack)
{
	void *block = block_take_aligned(alignment, size);

	trail_made(block, size, stack);
	return block;
}

static inline void call_free(void *ptr, uint32_t stack)
{
	trail_freed(ptr, stack);
	block_give_back(ptr);
}

/* The old block's address may be handed out again before the new one is known. */
static inline void *call_resize(void *ptr, size_t size, uint32_t stack)
{
	bool was_live = trail_resized(ptr, stack);
	void *block = block_resize(ptr, size);

	if (!block && was_live)
		trail_kept(ptr);
	trail_made(block, size, stack);
	return block;
}

static inline void *call_realloc(void *ptr, size_t size, uint32_t stack)
{
	if (!ptr)
		return call_alloc(size, stack);
	if (LIKELY(size))
		return call_resize(ptr, size, stack);
	call_free(ptr, stack);
	return NULL;
}

/* ---- the family ---- */

EXPORT void *malloc(size_t size)
{
	return call_alloc(size, TRAIL_HERE());
}

BH_NOINLINE EXPORT void free(void *ptr)
{
	if (LIKELY(ptr))
		call_free(ptr, TRAIL_HERE());
}

EXPORT void *calloc(size_t count, size_t size)
{
	uint32_t stack = TRAIL_HERE();
	size_t total;
	void *block;

	if (__builtin_mul_overflow(count, size, &total))
		return refuse(ENOMEM);
	block = block_take_zeroed(total);
	trail_made(block, total, stack);
	return block;
}

BH_NOINLINE EXPORT void *realloc(void *ptr, size_t size)
{
	return call_realloc(ptr, size, TRAIL_HERE());
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	if (!is_power_of_two(alignment))
		return refuse(EINVAL);
	return call_alloc_aligned(alignment, size, TRAIL_HERE());
}

EXPORT int posix_memalign(void **result, size_t alignment, size_t size)
{
	int saved = errno;
	void *block;

	if (!is_power_of_two(alignment) || alignment % sizeof(void *))
		return EINVAL;
	block = call_alloc_aligned(alignment, size, TRAIL_HERE());
	errno = saved;
	if (!block)
		return ENOMEM;
	*result = block;
	return 0;
}

/* An alignment between two powers of two means the larger one. */
BH_NOINLINE EXPORT void *memalign(size_t alignment, size_t size)
{
	size_t power = BHEAP_ALIGNMENT;

	while (power < alignment && power)
		power <<= 1;
	return power ? call_alloc_aligned(power, size, TRAIL_HERE()) : refuse(EINVAL);
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

EXPORT void *valloc(size_t size)
{
	return call_alloc_aligned(page_size(), size, TRAIL_HERE());
}

EXPORT size_t malloc_usable_size(void *ptr)
{
	(void)TRAIL_HERE();
	return ptr ? block_usable(budget_heap(), ptr) : 0;
}

/* ---- what Valgrind does not replace -------------------------------------------------------- */

/*
 * Valgrind replaces the functions above by its own, by their addresses, but not those below. These
 * end with a jump to one above, so that all blocks are from one heap and have one caller.
 */
static void own_free(void *ptr) ALIAS(free);
static void *own_realloc(void *ptr, size_t size) ALIAS(realloc);
static void *own_memalign(size_t alignment, size_t size) ALIAS(memalign);

EXPORT void *reallocarray(void *ptr, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return refuse(ENOMEM);
	return own_realloc(ptr, total);
}

EXPORT void *pvalloc(size_t size)
{
	size_t page = page_size(), whole;

	if (__builtin_add_overflow(size, page - 1, &whole))
		return refuse(ENOMEM);
	return own_memalign(page, whole & -page);
}

/* The sizes are promises of the caller that this heap does not need. */
EXPORT void free_sized(void *ptr, size_t size)
{
	(void)size;
	own_free(ptr);
}

EXPORT void free_aligned_sized(void *ptr, size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	own_free(ptr);
}
