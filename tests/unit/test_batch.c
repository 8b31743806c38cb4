/* SPDX-License-Identifier: MIT */
/*
 * test_batch.c - api/batch.h: how much a cache may keep where the bounds are reached. Batches one
 * by one are in test_cached.c.
 */
#include "ends.h"
#include "support.h"

#include <pthread.h>

#include "api/batch.h"

#define MIB ((size_t)1 << 20)
#define BLOCKS 512
#define PAIRS 40000

static bheap_t *heap;
static struct bh_caches *caches;
static uint64_t seed;
static struct faults faults;

static void setup(void)
{
	seed = 20261130; /* the counts below are of this sequence */
}

static void heap_make(size_t size)
{
	heap = bheap_create(size, BHEAP_CACHED);
	require(heap);
	caches = bh_caches(heap);
}

static void heap_end(void)
{
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	heap_empty(heap);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

/* Every call takes the lock while a tool listens. */
static bool is_off(void)
{
	return !bh_caches_are_on(heap);
}

static size_t any_size(size_t most)
{
	return 16 + random_below(&seed, most - 15);
}

/* Frees and allocates one of 512 at random, of all sizes up to one. */
static void blocks_exchange(size_t most)
{
	static char *blocks[BLOCKS];

	for (unsigned index = 0; index < BLOCKS; index++)
		require(blocks[index] = bheap_alloc(heap, any_size(most)));
	for (unsigned pair = 0; pair < PAIRS; pair++) {
		char **block = &blocks[random_below(&seed, BLOCKS)];

		require(!heap_free(heap, *block));
		require(*block = bheap_alloc(heap, any_size(most)));
	}
	for (unsigned index = 0; index < BLOCKS; index++)
		require(!heap_free(heap, blocks[index]));
}

/*
 * More sizes than the bounds have room for. What the heap itself has to do is less than without
 * caches, and not one block after the other is given back and taken again.
 */
START_TEST(more_sizes_than_there_is_room_for)
{
	static const struct {
		size_t size;
		unsigned frees, batches; /* at most one for so many pairs */
	} heaps[] = {{64 * MIB, 4, 10}, {8 * MIB, 2, 5}, {2 * MIB, 1, 5}};
	uint64_t frees;

	heap_make(heaps[_i].size);
	blocks_exchange(1024);
	if (!is_off()) {
		frees = heap->core.control->frees;
		ck_assert_uint_le(frees, BLOCKS + PAIRS / heaps[_i].frees);
		ck_assert_uint_le(caches->batches, 2 * BLOCKS + PAIRS / heaps[_i].batches);
	}
	heap_end();
}
END_TEST

/* Within the bounds hardly a call takes the lock, however the sizes come and go. */
START_TEST(sizes_that_there_is_room_for)
{
	unsigned before;

	heap_make(64 * MIB);
	blocks_exchange(512);
	before = caches->batches;
	blocks_exchange(512);
	if (!is_off())
		ck_assert_uint_le(caches->batches - before, PAIRS / 500);
	heap_end();
}
END_TEST

#define FULL_SIZES 8 /* multiples of 64 bytes */
#define FULL_BLOCKS 8

static unsigned full_count(const struct bh_cache *cache, unsigned size)
{
	return bh_cache_count(caches, cache, 4 * size);
}

/* This thread's cache may not have more than it has; blocks of one size more are live. */
static struct bh_cache *full_make(char **block)
{
	static char *blocks[FULL_SIZES][FULL_BLOCKS];
	struct bh_cache *cache;

	require(*block = bheap_alloc(heap, 64 * (FULL_SIZES + 1)));
	for (unsigned size = 1; size <= FULL_SIZES; size++)
		for (unsigned index = 0; index < FULL_BLOCKS; index++)
			require(blocks[size - 1][index] = bheap_alloc(heap, 64 * size));
	for (unsigned size = 1; size <= FULL_SIZES; size++)
		for (unsigned index = 0; index < FULL_BLOCKS; index++)
			require(!heap_free(heap, blocks[size - 1][index]));
	cache = bh_cache_own(caches);
	require(cache);
	caches->room -= caches->pool + cache->room;
	cache->granted -= cache->room;
	cache->room = caches->pool = 0;
	return cache;
}

/* Other sizes give blocks up, a few in turn, and not all that they have. */
START_TEST(a_full_cache_makes_room)
{
	struct bh_cache *cache;
	unsigned had[FULL_SIZES + 1], fewer = 0;
	char *block;

	heap_make(64 * MIB);
	if (!is_off()) {
		cache = full_make(&block);
		for (unsigned size = 1; size <= FULL_SIZES; size++)
			had[size] = full_count(cache, size);
		require(!heap_free(heap, block));
		ck_assert_uint_eq(full_count(cache, FULL_SIZES + 1), 1);
		for (unsigned size = 1; size <= FULL_SIZES; size++) {
			ck_assert_uint_ge(full_count(cache, size), had[size] / 2);
			fewer += full_count(cache, size) < had[size];
		}
		ck_assert_uint_ge(fewer, 1);
		ck_assert_uint_le(fewer, 4);
		ck_assert_uint_le(cache->room, cache->granted);
		ck_assert_uint_eq(cache->granted, caches->room);
	}
	heap_end();
}
END_TEST

/* A cache that may have nothing: few calls ask for more, and those get it as soon as there is any.
 */
START_TEST(a_cache_without_room)
{
	struct bh_cache *cache;
	unsigned batches;
	char *block;

	heap_make(8 * MIB);
	require(block = bheap_alloc(heap, 64));
	if (!is_off()) {
		caches->pool = 0;
		require(!heap_free(heap, block));
		cache = bh_cache_own(caches);
		ck_assert_uint_eq(bh_cache_count(caches, cache, 4), 0);
		batches = caches->batches;
		for (unsigned pair = 0; pair < 160; pair++) {
			require(block = bheap_alloc(heap, 64));
			require(!heap_free(heap, block));
		}
		ck_assert_uint_le(caches->batches - batches, 20);
		ck_assert_uint_ge(caches->batches - batches, 20);
		caches->pool = 1000;
		for (unsigned pair = 0; pair < 16; pair++) {
			require(block = bheap_alloc(heap, 64));
			require(!heap_free(heap, block));
		}
		ck_assert_uint_eq(bh_cache_count(caches, cache, 4), 1);
		caches->pool += caches->room - 1000; /* what was taken away */
	}
	heap_end();
}
END_TEST

/* Nothing is in use, after so many allocations. */
static void heap_figures_are_exact(uint64_t allocations)
{
	struct bheap_stats stats;

	require(bheap_stats(heap, &stats) == 0);
	require_equal(stats.used, 0);
	require_equal(stats.allocations, allocations);
	require_equal(stats.frees, allocations);
}

static void *thread_exchange(void *arg)
{
	blocks_exchange(1024);
	*(struct bh_cache **)arg = bh_cache_own(caches);
	return NULL;
}

/* The first thread has all there is, and does nothing with it any more. */
START_TEST(a_thread_gets_its_share)
{
	struct bh_cache *first, *second;
	uint32_t had;
	pthread_t thread;

	heap_make(4 * MIB);
	blocks_exchange(1024);
	if (!is_off()) {
		first = bh_cache_own(caches);
		had = first->granted;
		ck_assert_uint_gt(had, caches->room * 3 / 4);
		ck_assert_int_eq(pthread_create(&thread, NULL, thread_exchange, &second), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_ptr_ne(first, second);
		ck_assert_uint_ge(second->granted, caches->room / 4);
		ck_assert_uint_gt(first->granted, 0);
		ck_assert_uint_lt(first->granted, had);
		ck_assert_uint_eq(first->granted + second->granted + caches->pool, caches->room);
		ck_assert_uint_eq(caches->state, 0);
	}
	heap_end();
}
END_TEST

/* ---- passed on to other threads ---- */

#define BURST 96
#define BURSTS 200

static char *passed[BURST];
static pthread_barrier_t barrier;

static void *bursts_free(void *arg)
{
	for (unsigned burst = 0; burst < BURSTS; burst++) {
		pthread_barrier_wait(&barrier);
		for (unsigned index = 0; index < BURST; index++)
			require(!heap_free(heap, passed[index]));
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

static void bursts_alloc(void)
{
	for (unsigned burst = 0; burst < BURSTS; burst++) {
		for (unsigned index = 0; index < BURST; index++)
			require(passed[index] = bheap_alloc(heap, 16 + index % 4 * 64));
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
}

/* One thread allocates, another one frees: for most of the blocks the map is not touched. */
START_TEST(blocks_are_passed_on)
{
	struct bh_cache *common;
	pthread_t thread;

	heap_make(64 * MIB);
	pthread_barrier_init(&barrier, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, bursts_free, NULL), 0);
	bursts_alloc();
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	pthread_barrier_destroy(&barrier);
	if (!is_off()) {
		ck_assert_uint_lt(heap->core.control->frees, BURST * BURSTS / 2);
		common = bh_cache_find_common(heap);
		ck_assert_int_eq(common->owner, BH_CACHE_COMMON);
		ck_assert_uint_eq(caches->used, 3);
		ck_assert_uint_gt(bh_cache_count(caches, common, 1), 0);
	}
	heap_figures_are_exact(BURST * BURSTS);
	heap_end();
}
END_TEST

static void *cache_claim_and_end(void *arg)
{
	struct bh_cache **cache = arg;

	require(!heap_free(heap, bheap_alloc(heap, 64)));
	*cache = bh_cache_own(caches);
	return arg;
}

/* It is no thread's that ended, and no new thread's. */
START_TEST(the_common_cache_is_nobodys)
{
	struct bh_cache *common, *other;
	pthread_t thread;

	heap_make(64 * MIB);
	require(!heap_free(heap, bheap_alloc(heap, 64)));
	if (!is_off()) {
		common = bh_cache_find_common(heap);
		ck_assert_ptr_eq(bh_cache_find_common(heap), common);
		for (int round = 0; round < 4; round++) {
			ck_assert_int_eq(pthread_create(&thread, NULL, cache_claim_and_end, &other),
					 0);
			ck_assert_int_eq(pthread_join(thread, NULL), 0);
			ck_assert_ptr_ne(other, common);
			ck_assert_ptr_ne(bh_cache_find_orphan(heap), common);
		}
	}
	heap_end();
}
END_TEST

static void *cache_claim_and_wait(void *arg)
{
	require(!heap_free(heap, bheap_alloc(heap, 64)));
	pthread_barrier_wait(&barrier);
	return arg;
}

/* As many threads as there are caches: one is left for what they pass on. */
START_TEST(the_common_cache_has_its_place)
{
	pthread_t threads[16];

	heap_make(64 * 1024);
	if (!is_off()) {
		ck_assert_uint_le(caches->slots, 16);
		pthread_barrier_init(&barrier, NULL, caches->slots + 1);
		for (uint32_t index = 0; index < caches->slots; index++)
			ck_assert_int_eq(
				pthread_create(&threads[index], NULL, cache_claim_and_wait, NULL),
				0);
		pthread_barrier_wait(&barrier);
		for (uint32_t index = 0; index < caches->slots; index++)
			ck_assert_int_eq(pthread_join(threads[index], NULL), 0);
		pthread_barrier_destroy(&barrier);
		ck_assert_uint_eq(caches->used, caches->slots - 1);
		ck_assert_ptr_nonnull(bh_cache_find_common(heap));
		ck_assert_uint_eq(caches->used, caches->slots);
	}
	heap_end();
}
END_TEST

#define LARGEST 1024 /* bytes; a cache has places for 32 blocks */
#define PLACES 32

/* This thread's cache is full of the largest blocks, and another thread has a cache. */
static void cache_fill(void)
{
	struct bh_cache *other;
	pthread_t thread;

	heap_make(64 * MIB);
	ck_assert_int_eq(pthread_create(&thread, NULL, cache_claim_and_end, &other), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ends_await(caches);
	for (unsigned index = 0; index < BURST; index++)
		require(passed[index] = bheap_alloc(heap, LARGEST));
	while (!is_off() && bh_cache_has(caches, bh_cache_own(caches), LARGEST / 16))
		require(bheap_alloc(heap, LARGEST));
	for (unsigned index = 0; index < PLACES; index++)
		require(!heap_free(heap, passed[index]));
}

static unsigned cache_count(const struct bh_cache *cache)
{
	return bh_cache_count(caches, cache, LARGEST / 16);
}

/* Frees until blocks are passed on; how many that were. */
static unsigned blocks_pass(unsigned *freed)
{
	const struct bh_cache *common = bh_cache_find_common(heap);
	unsigned before = cache_count(common);

	while (cache_count(common) == before)
		require(!heap_free(heap, passed[(*freed)++]));
	return cache_count(common) - before;
}

/* One more each time, as long as this thread only gives. */
START_TEST(few_blocks_are_passed_on_at_first)
{
	unsigned freed = PLACES, left;
	uint32_t used;

	cache_fill();
	if (!is_off()) {
		for (unsigned round = 1; round <= 5; round++)
			ck_assert_uint_eq(blocks_pass(&freed), round);
		/* From now on it takes some back, too. */
		left = cache_count(bh_cache_own(caches)) + 1;
		for (used = heap->core.control->used; left; left--)
			require(bheap_alloc(heap, LARGEST));
		ck_assert_uint_eq(cache_count(bh_cache_find_common(heap)), 1 + 2 + 3 + 4 + 5 - 1);
		ck_assert_uint_eq(heap->core.control->used, used);
		ck_assert_uint_eq(blocks_pass(&freed), 1);
	}
	heap_end();
}
END_TEST

/* It is reported, and stays live; the program gets another one. */
START_TEST(a_block_that_was_passed_on_is_written_to)
{
	struct bh_cache *common;
	unsigned freed = PLACES;
	char *block;

	faults_expect(&faults);
	cache_fill();
	if (!is_off()) {
		blocks_pass(&freed);
		common = bh_cache_find_common(heap);
		block = bh_core_address(&heap->core, common->places[caches->at[LARGEST / 16]]);
		memory_scribble(block, "written", 8);
		while (bh_cache_has(caches, bh_cache_own(caches), LARGEST / 16))
			require(bheap_alloc(heap, LARGEST));
		ck_assert_ptr_ne(bheap_alloc(heap, LARGEST), block);
		ck_assert_uint_eq(faults.count, 1);
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_WRITTEN_FREE);
		ck_assert_ptr_eq(faults.last.address, block);
	}
	heap_end();
}
END_TEST

static int forked_finds_all(void *arg)
{
	(void)arg;
	leaks_ignore();
	require(!heap_free(heap, bheap_alloc(heap, 64)));
	heap_figures_are_exact(2 * BURST + 1);
	return caches->common ? 1 : 0;
}

/* The child of a fork has what was passed on, and then no such cache. */
START_TEST(a_child_has_what_was_passed_on)
{
	struct child child;
	struct bh_cache *own, *common;

	heap_make(64 * MIB);
	for (int round = 0; round < 2; round++) {
		for (unsigned index = 0; index < BURST; index++)
			require(passed[index] = bheap_alloc(heap, 64));
		for (unsigned index = 0; index < BURST; index++)
			require(!heap_free(heap, passed[index]));
	}
	if (!is_off()) {
		own = bh_cache_own(caches);
		common = bh_cache_find_common(heap);
		ck_assert_uint_ge(bh_cache_grant(caches, common, 8 * 4), 8 * 4);
		/* As a batch does it, and as a fork in the middle of one would see it. */
		memcpy(&common->places[caches->at[4]], &own->places[caches->at[4]], 8 * 4);
		common->tops[4] = (uint16_t)(caches->at[4] + 8);
		child_run(&child, forked_finds_all, NULL);
		child_assert_exited(&child, 0);
		common->tops[4] = caches->at[4];
	}
	heap_end();
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("batch", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, more_sizes_than_there_is_room_for, 0, 3);
	tcase_add_test(tcase, sizes_that_there_is_room_for);
	tcase_add_test(tcase, a_full_cache_makes_room);
	tcase_add_test(tcase, a_cache_without_room);
	tcase_add_test(tcase, a_thread_gets_its_share);
	tcase_add_test(tcase, blocks_are_passed_on);
	tcase_add_test(tcase, the_common_cache_is_nobodys);
	tcase_add_test(tcase, the_common_cache_has_its_place);
	tcase_add_test(tcase, few_blocks_are_passed_on_at_first);
	tcase_add_test(tcase, a_block_that_was_passed_on_is_written_to);
	tcase_add_test(tcase, a_child_has_what_was_passed_on);
	return suite_run(suite);
}
