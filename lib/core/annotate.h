/* SPDX-License-Identifier: MIT */
/*
 * annotate.h - tells Valgrind and AddressSanitizer which bytes of a heap belong to its user.
 * Owns every request to the two tools. Where the Valgrind headers are absent its requests are
 * empty. An AddressSanitizer runtime is found at run time, so that a plain library serves a
 * sanitized program.
 */
#ifndef BH_ANNOTATE_H
#define BH_ANNOTATE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#if defined(HAVE_VALGRIND_MEMCHECK_H)
#include <valgrind/memcheck.h>
#else
#define VALGRIND_CREATE_MEMPOOL(pool, redzone, zeroed) ((void)(pool), (void)(redzone))
#define VALGRIND_DESTROY_MEMPOOL(pool) ((void)(pool))
#define VALGRIND_MEMPOOL_ALLOC(pool, block, size) ((void)(pool), (void)(block), (void)(size))
#define VALGRIND_MEMPOOL_FREE(pool, block) ((void)(pool), (void)(block))
#define VALGRIND_MEMPOOL_CHANGE(pool, old, block, size)                                            \
	((void)(pool), (void)(old), (void)(block), (void)(size))
#define VALGRIND_MAKE_MEM_NOACCESS(start, size) ((void)(start), (void)(size))
#define VALGRIND_MAKE_MEM_UNDEFINED(start, size) ((void)(start), (void)(size))
#define VALGRIND_MAKE_MEM_DEFINED(start, size) ((void)(start), (void)(size))
#define VALGRIND_GET_VBITS(start, bits, size) ((void)(start), (void)(bits), (void)(size), 0)
#define VALGRIND_CHECK_MEM_IS_ADDRESSABLE(start, size) ((void)(start), (void)(size), 0)
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING ((void)0)
#endif

#if defined(HAVE_VALGRIND_HELGRIND_H)
#include <valgrind/helgrind.h>
/* VALGRIND_HG_GET_ABITS() mixes signed and unsigned numbers. */
#define BH_ANNOTATE_HELGRIND_SEES(byte)                                                            \
	VALGRIND_DO_CLIENT_REQUEST_EXPR(0, _VG_USERREQ__HG_GET_ABITS, byte, NULL, 1, 0, 0)
#else
#define BH_ANNOTATE_HELGRIND_SEES(byte) ((void)(byte), 0)
#define VALGRIND_HG_DISABLE_CHECKING(start, size) ((void)(start), (void)(size))
#define VALGRIND_HG_ENABLE_CHECKING(start, size) ((void)(start), (void)(size))
#endif

#if defined(HAVE_VALGRIND_DRD_H)
#include <valgrind/drd.h>
#define BH_ANNOTATE_DRD_RUNS() (DRD_GET_VALGRIND_THREADID != 0)
#define BH_ANNOTATE_DRD(request, start, size)                                                      \
	VALGRIND_DO_CLIENT_REQUEST_STMT(VG_USERREQ__DRD_##request, start, size, 0, 0, 0)
#else
#define BH_ANNOTATE_DRD_RUNS() false
#define BH_ANNOTATE_DRD(request, start, size) ((void)(start), (void)(size))
#endif

/* Functions that look into free blocks, which the tools forbid to everyone else. */
#define BH_UNCHECKED __attribute__((no_sanitize("address")))

extern void __asan_poison_memory_region(void const volatile *start, size_t size)
	__attribute__((weak));
extern void __asan_unpoison_memory_region(void const volatile *start, size_t size)
	__attribute__((weak));

/*
 * Asked once, when a handle is made: the tools cost nothing where they are absent. Of Valgrind's,
 * memcheck alone answers this request; under callgrind and the rest the library does what it always
 * does.
 */
static inline bool bh_annotate_wanted(void)
{
	unsigned char probe = 0, bits = 0;

	return VALGRIND_GET_VBITS(&probe, &bits, 1) != 0 || __asan_poison_memory_region;
}

/* True under Helgrind and DRD, which take atomic loads and stores for races. */
static inline bool bh_annotate_finds_races(void)
{
	unsigned char probe = 0;

	return BH_ANNOTATE_HELGRIND_SEES(&probe) == 1 || BH_ANNOTATE_DRD_RUNS();
}

/* From now on these tools take nothing here for a race; or again all that is one. */
static inline void bh_annotate_atomic(const void *start, size_t size)
{
	VALGRIND_HG_DISABLE_CHECKING(start, size);
	BH_ANNOTATE_DRD(START_SUPPRESSION, start, size);
}

static inline void bh_annotate_plain(const void *start, size_t size)
{
	VALGRIND_HG_ENABLE_CHECKING(start, size);
	BH_ANNOTATE_DRD(FINISH_SUPPRESSION, start, size);
}

static inline void bh_annotate_poison(const void *start, size_t size)
{
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(start, size);
}

static inline void bh_annotate_unpoison(const void *start, size_t size)
{
	if (__asan_unpoison_memory_region)
		__asan_unpoison_memory_region(start, size);
}

/*
 * Up to so many bytes beside a block, memcheck names that block. Half of a gap: the other half is
 * beside the next block.
 */
#define BH_ANNOTATE_BESIDE 8

/* gaps: a granule that is no one's lies before the first block and after each. */
static inline void bh_annotate_create(const void *pool, const void *start, size_t size, bool gaps)
{
	VALGRIND_CREATE_MEMPOOL(pool, gaps ? BH_ANNOTATE_BESIDE : 0, 0);
	VALGRIND_MAKE_MEM_NOACCESS(start, size);
	bh_annotate_poison(start, size);
}

/* The memory is its owner's again. */
static inline void bh_annotate_destroy(const void *pool, const void *start, size_t size)
{
	VALGRIND_DESTROY_MEMPOOL(pool);
	VALGRIND_MAKE_MEM_UNDEFINED(start, size);
	bh_annotate_unpoison(start, size);
}

static inline void bh_annotate_alloc(const void *pool, const void *block, size_t size)
{
	VALGRIND_MEMPOOL_ALLOC(pool, block, size);
	bh_annotate_unpoison(block, size);
}

static inline void bh_annotate_free(const void *pool, const void *block, size_t size)
{
	VALGRIND_MEMPOOL_FREE(pool, block);
	bh_annotate_poison(block, size);
}

/* Free memory that gets an owner, and free memory that has none. */
static inline void bh_annotate_open(const void *start, size_t size)
{
	VALGRIND_MAKE_MEM_UNDEFINED(start, size);
	bh_annotate_unpoison(start, size);
}

static inline void bh_annotate_close(const void *start, size_t size)
{
	VALGRIND_MAKE_MEM_NOACCESS(start, size);
	bh_annotate_poison(start, size);
}

/* Free memory that the library itself is about to copy to; its links are as good as before. */
static inline void bh_annotate_lend(const void *start, size_t size)
{
	VALGRIND_MAKE_MEM_DEFINED(start, size);
	bh_annotate_unpoison(start, size);
}

/*
 * Opens the bytes of the last granule that were not asked for; whether there are any only the tool
 * knows, which must not take the question as an error.
 */
static inline bool bh_annotate_open_slack(const void *block, size_t usable)
{
	const char *end = (const char *)block + usable, *byte = end;

	while (byte > (const char *)block && VALGRIND_CHECK_MEM_IS_ADDRESSABLE(byte - 1, 1)) {
		byte--;
		VALGRIND_MAKE_MEM_UNDEFINED(byte, 1);
	}
	bh_annotate_unpoison(block, usable);
	return byte < end;
}

/*
 * The owner may use all of the block's granules, not just the bytes asked for. To change a block
 * memcheck sorts all blocks of the heap: it is asked only where something changes.
 */
static inline void bh_annotate_claim(const void *pool, const void *block, size_t usable)
{
	if (bh_annotate_open_slack(block, usable))
		VALGRIND_MEMPOOL_CHANGE(pool, block, block, usable);
}

/* A block resized in place: what it keeps stays defined, what it gains is not yet. */
static inline void bh_annotate_resize(const void *pool, const void *block, size_t old_usable,
				      size_t size)
{
	if (bh_annotate_open_slack(block, old_usable) || size != old_usable)
		VALGRIND_MEMPOOL_CHANGE(pool, block, block, size);
	if (size < old_usable)
		bh_annotate_close((const char *)block + size, old_usable - size);
	else
		bh_annotate_open((const char *)block + old_usable, size - old_usable);
}

/* A block moved down with kept bytes; the rest, up to end, is free. */
static inline void bh_annotate_moved(const void *pool, const void *old, const void *block,
				     size_t kept, const void *end)
{
	const char *left = (const char *)block + kept;

	VALGRIND_MEMPOOL_CHANGE(pool, old, block, kept);
	bh_annotate_close(left, (size_t)((const char *)end - left));
}

/* The library itself looks into free blocks of an annotated heap between these two. */
static inline void bh_annotate_enter(bool annotated)
{
	if (annotated)
		VALGRIND_DISABLE_ERROR_REPORTING;
}

static inline void bh_annotate_leave(bool annotated)
{
	if (annotated)
		VALGRIND_ENABLE_ERROR_REPORTING;
}

#endif
