/* SPDX-License-Identifier: MIT */
/*
 * kinds.h - the fixture of tests that run on each kind of private heap: without a lock, with one,
 * with trailers, for real time, with caches.
 */
#ifndef TEST_KINDS_H
#define TEST_KINDS_H

#include "support.h"

#include <unistd.h>

static const unsigned kinds[] = {
	0, BHEAP_UNLOCKED, BHEAP_GUARD, BHEAP_GUARD | BHEAP_UNLOCKED, BHEAP_REALTIME, BHEAP_CACHED};
#define KINDS ((int)(sizeof(kinds) / sizeof(*kinds)))
/* Those whose freed blocks are free at once: all but the last. */
#define KINDS_UNCACHED (KINDS - 1)

static bheap_t *heap;
static size_t size;
static struct faults faults;

static inline void setup(void)
{
	faults_expect(&faults);
	size = 4 * (size_t)sysconf(_SC_PAGESIZE);
}

static inline void heap_make(int kind)
{
	heap = bheap_create(size, kinds[kind]);
	ck_assert_ptr_nonnull(heap);
}

static inline void teardown(void)
{
	if (!heap)
		return;
	heap_empty(heap);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

static inline bool is_guarded(int kind)
{
	return kinds[kind] & BHEAP_GUARD;
}

static inline bool is_cached(int kind)
{
	/* Valgrind and the address sanitizer see each block: there are no caches then. */
	return kinds[kind] & BHEAP_CACHED && (!is_watched() || is_thread_sanitized());
}

/* What takes all of the heap in one block. */
static inline size_t size_of_all(int kind)
{
	return is_guarded(kind) ? size - 16 : size;
}

#endif
