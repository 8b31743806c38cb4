/* SPDX-License-Identifier: MIT */
/*
 * places.h - the fixture of tests that run on heaps of every kind: in a mapping, in a buffer, in a
 * file that is shared, the default heap; with and without a lock, trailers, and several threads.
 */
#ifndef TEST_PLACES_H
#define TEST_PLACES_H

#include "support.h"

enum place { MAPPED, THREADED, BUFFER, SHARED, CLASSIC };

static const struct {
	enum place place;
	unsigned flags;
} places[] = {
	{MAPPED, 0},
	{MAPPED, BHEAP_UNLOCKED},
	{MAPPED, BHEAP_GUARD},
	{MAPPED, BHEAP_GUARD | BHEAP_UNLOCKED},
	{MAPPED, BHEAP_REALTIME},
	{THREADED, 0},
	{THREADED, BHEAP_GUARD},
	{BUFFER, 0},
	{BUFFER, BHEAP_UNLOCKED | BHEAP_GUARD},
	{SHARED, 0},
	{SHARED, BHEAP_GUARD},
	{SHARED, BHEAP_OWNED | BHEAP_REALTIME},
	{CLASSIC, 0},
};
#define PLACES ((int)(sizeof(places) / sizeof(*places)))

/* Those with a lock and several threads; those that are shared. */
#define PLACES_THREADED 5
#define PLACES_THREADED_END 7
#define PLACES_SHARED 9
#define PLACES_SHARED_END 12

#define PLACE_SIZE 65536

static bheap_t *heap;
static size_t size;    /* bytes for blocks */
static size_t trailer; /* bytes that the library adds to a block */
static struct faults faults;
static char buffer[PLACE_SIZE];

static inline void setup(void)
{
	faults_expect(&faults);
}

static inline bheap_t *place_open(enum place place, unsigned flags)
{
	switch (place) {
	case BUFFER: return bheap_create_in(buffer, sizeof(buffer), flags);
	case SHARED: path_make(); return path_heap(PLACE_SIZE, flags);
	case CLASSIC: ck_assert_int_eq(init_heap(PLACE_SIZE), 0); return bheap_default();
	default: return bheap_create(PLACE_SIZE, flags);
	}
}

static inline void heap_make(int index)
{
	struct bheap_stats stats;

	if (places[index].place == THREADED)
		threads_begin();
	heap = place_open(places[index].place, places[index].flags);
	ck_assert_ptr_nonnull(heap);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	size = stats.size;
	trailer = places[index].flags & (BHEAP_GUARD | BHEAP_OWNED) ? 16 : 0;
}

static inline void teardown(void)
{
	if (!heap)
		return;
	heap_empty(heap);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	if (heap != bheap_default())
		ck_assert_int_eq(bheap_destroy(heap), 0);
	path_remove();
}

static inline struct bheap_stats stats_now(void)
{
	struct bheap_stats stats;

	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	return stats;
}

#endif
