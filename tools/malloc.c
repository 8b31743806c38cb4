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

#include "cache.h"

#define EXPORT __attribute__((visibility("default")))

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

/* From the heap. What took the lock is used to fill the thread's cache. */
static __attribute__((noinline)) void *block_make_locked(size_t size)
{
	bheap_t *heap = budget_heap();
	bool locked = budget_enter();
	void *block = bheap_alloc(heap, size);

	if (LIKELY(block)) {
		budget_made(block, size);
		if (size && size <= CACHE_SIZE_MAX)
			cache_fill(heap, cache_granules(size));
	}
	budget_leave(locked);
	return LIKELY(block) ? block : budget_refuse(size);
}

static __attribute__((noinline)) void *block_make(size_t size)
{
	void *block;

	if (!__libc_single_threaded)
		return block_make_locked(size);
	block = bheap_alloc(budget_heap(), size);
	if (UNLIKELY(!block))
		return budget_refuse(size);
	budget_made(block, size);
	return block;
}

static inline void *block_take(size_t size)
{
	void *block = cache_take(size);

	return LIKELY(block) ? block : block_make(size);
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
	char *block = bheap_alloc(heap, size);
	size_t dirty_size = size;

	if (LIKELY(block))
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
	void *block = cache_take(size);

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

/* Reports a block that is in a cache, hence freed already; true if it was. */
static inline bool block_is_cached(const void *ptr, size_t usable)
{
	if (LIKELY(usable - 1 >= CACHE_SIZE_MAX || !budget.cached || !cache_holds(ptr)))
		return false;
	budget_report_free(ptr, usable);
	return true;
}

/* The heap's fault handler reports a pointer that is no live block; nothing changes then. */
static __attribute__((noinline)) void block_release(void *ptr, size_t usable)
{
	bool locked = budget_enter();

	budget_release(ptr, usable);
	budget_leave(locked);
}

/* A live block that the cache does not take at once, or what is none. */
static __attribute__((noinline)) void block_give_back_slowly(void *ptr, size_t usable)
{
	if (UNLIKELY(block_is_cached(ptr, usable)))
		return;
	if (usable - 1 >= CACHE_SIZE_MAX || !budget.cached ||
	    !cache_put_slowly(ptr, usable / BHEAP_ALIGNMENT))
		block_release(ptr, usable);
}

static __attribute__((noinline)) void block_give_back_uncached(void *ptr)
{
	block_give_back_slowly(ptr, block_usable(budget_heap(), ptr));
}

/* A thread with a cache has a heap, without guards. Saves no register but that of ptr. */
static inline void block_give_back(void *ptr)
{
	size_t usable;

	if (UNLIKELY(!budget.cached))
		return block_give_back_uncached(ptr);
	usable = bheap_usable_size(budget.heap, ptr);
	if (UNLIKELY(usable - 1 >= CACHE_SIZE_MAX) || UNLIKELY(cache_holds(ptr)) ||
	    UNLIKELY(!cache_put(ptr, usable)))
		block_give_back_slowly(ptr, usable);
}

static void *block_remake(bheap_t *heap, void *ptr, size_t size)
{
	bool locked = budget_enter();
	void *block = bheap_realloc(heap, ptr, size);
	int error = errno;

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
	size_t usable = budget.guarded ? 0 : bheap_usable_size(heap, ptr);

	if (UNLIKELY(block_is_cached(ptr, usable)))
		return refuse(EINVAL);
	if (usable && usable == cache_granules(size) * BHEAP_ALIGNMENT && size)
		return ptr;
	return block_remake(heap, ptr, size);
}

/* ---- the family ---- */

EXPORT void *malloc(size_t size)
{
	return block_take(size);
}

EXPORT void free(void *ptr)
{
	if (LIKELY(ptr))
		block_give_back(ptr);
}

EXPORT void *calloc(size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return refuse(ENOMEM);
	return block_take_zeroed(total);
}

EXPORT void *realloc(void *ptr, size_t size)
{
	if (!ptr)
		return block_take(size);
	if (LIKELY(size))
		return block_resize(ptr, size);
	block_give_back(ptr);
	return NULL;
}

EXPORT void *reallocarray(void *ptr, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		return refuse(ENOMEM);
	return realloc(ptr, total);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	if (!is_power_of_two(alignment))
		return refuse(EINVAL);
	return block_take_aligned(alignment, size);
}

EXPORT int posix_memalign(void **result, size_t alignment, size_t size)
{
	int saved = errno;
	void *block;

	if (!is_power_of_two(alignment) || alignment % sizeof(void *))
		return EINVAL;
	block = block_take_aligned(alignment, size);
	errno = saved;
	if (!block)
		return ENOMEM;
	*result = block;
	return 0;
}

/* An alignment between two powers of two means the larger one. */
EXPORT void *memalign(size_t alignment, size_t size)
{
	size_t power = BHEAP_ALIGNMENT;

	while (power < alignment && power)
		power <<= 1;
	return power ? block_take_aligned(power, size) : refuse(EINVAL);
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

EXPORT void *valloc(size_t size)
{
	return block_take_aligned(page_size(), size);
}

EXPORT void *pvalloc(size_t size)
{
	size_t page = page_size(), whole;

	if (__builtin_add_overflow(size, page - 1, &whole))
		return refuse(ENOMEM);
	return block_take_aligned(page, whole & -page);
}

EXPORT size_t malloc_usable_size(void *ptr)
{
	return ptr ? block_usable(budget_heap(), ptr) : 0;
}

/* The sizes are promises of the caller that this heap does not need. */
EXPORT void free_sized(void *ptr, size_t size)
{
	(void)size;
	free(ptr);
}

EXPORT void free_aligned_sized(void *ptr, size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	free(ptr);
}
