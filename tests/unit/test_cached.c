/* SPDX-License-Identifier: MIT */
/*
 * test_cached.c - api/cached.h: batches, what goes back to the heap and when, blocks that were
 * written to or freed twice, counters, and what a forked child finds.
 */
#include "ends.h"
#include "support.h"

#include <pthread.h>
#include <unistd.h>

#include "api/cached.h"
#include "api/growing.h"
#include "api/slots.h"

#define MIB ((size_t)1 << 20)
#define MANY 48

static bheap_t *heap;
static struct bh_caches *caches;
static struct faults faults;
static char *blocks[MANY];

static void setup(void)
{
	faults_expect(&faults);
	heap = bheap_create(32 * MIB, BHEAP_CACHED);
	ck_assert_ptr_nonnull(heap);
	caches = bh_caches(heap);
}

static void teardown(void)
{
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

/* Another heap in its place. */
static void heap_change(size_t size)
{
	heap_empty(heap);
	ck_assert_int_eq(bheap_destroy(heap), 0);
	heap = bheap_create(size, BHEAP_CACHED);
	ck_assert_ptr_nonnull(heap);
	caches = bh_caches(heap);
}

/* Every call takes the lock while a tool listens. */
static bool is_off(void)
{
	return !bh_caches_are_on(heap);
}

static void blocks_make(unsigned count, size_t size)
{
	for (unsigned index = 0; index < count; index++) {
		require(blocks[index] = bheap_alloc(heap, size));
		memset(blocks[index], 0x5a, size);
	}
}

static void blocks_free(unsigned count)
{
	for (unsigned index = 0; index < count; index++)
		require(!heap_free(heap, blocks[index]));
}

static struct bh_cache *own(void)
{
	struct bh_cache *cache = bh_cache_own(caches);

	require(cache);
	return cache;
}

static unsigned cached_count(const struct bh_cache *cache, size_t granules)
{
	return cache->tops[granules] - (unsigned)caches->at[granules];
}

static unsigned cached_all(const struct bh_cache *cache)
{
	unsigned all = 0;

	for (size_t granules = 1; granules <= BH_CACHE_GRANULES; granules++)
		all += cached_count(cache, granules);
	return all;
}

/* Takes what the cache has of a size, from the fast path alone. */
static unsigned cache_drain(size_t size)
{
	unsigned count = 0;

	while (bh_cache_has(caches, own(), bh_granules(size))) {
		require(bheap_alloc(heap, size));
		count++;
	}
	return count;
}

static struct bheap_stats figures(void)
{
	struct bheap_stats stats;

	require(bheap_stats(heap, &stats) == 0);
	return stats;
}

static void figures_are(uint64_t used, uint64_t live, uint64_t allocations, uint64_t frees)
{
	struct bheap_stats stats = figures();

	ck_assert_uint_eq(stats.used, used);
	ck_assert_uint_eq(stats.live_blocks, live);
	ck_assert_uint_eq(stats.allocations, allocations);
	ck_assert_uint_eq(stats.frees, frees);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}

/* ---- batches ---- */

START_TEST(batches_grow)
{
	static const unsigned expected[] = {0, 1, 3, 7, 15, 15};

	if (is_off())
		return;
	for (unsigned index = 0; index < 6; index++) {
		ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
		ck_assert_uint_eq(cached_count(own(), 1), expected[index]);
		cache_drain(16);
	}
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

START_TEST(a_batch_is_handed_out_in_order_of_addresses)
{
	char *before;

	if (is_off())
		return;
	for (unsigned fills = 0; fills < 4; fills++) {
		before = bheap_alloc(heap, 64);
		while (bh_cache_has(caches, own(), 4)) {
			char *block = bheap_alloc(heap, 64);

			ck_assert_ptr_eq(block, before + 64);
			before = block;
		}
	}
}
END_TEST

/* The heap has no more than a part of a batch. */
START_TEST(a_batch_ends_with_the_heap)
{
	size_t last;

	if (is_off())
		return;
	for (unsigned fills = 0; fills < 4; fills++) {
		ck_assert_ptr_nonnull(bheap_alloc(heap, 64));
		cache_drain(64);
	}
	last = figures().largest_free;
	ck_assert_ptr_nonnull(bheap_alloc(heap, last - 4 * 64));
	own()->batches[4] = 15; /* figures() made it little */
	ck_assert_ptr_nonnull(bheap_alloc(heap, 64));
	ck_assert_uint_eq(cached_count(own(), 4), 3);
	ck_assert_uint_eq(cache_drain(64), 3);
	ck_assert_ptr_null(bheap_alloc(heap, 64));
	ck_assert_uint_eq(figures().free, 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

START_TEST(more_are_kept_each_time)
{
	unsigned kept = 0;

	if (is_off())
		return;
	blocks_make(MANY, 16);
	cache_drain(16);
	for (unsigned index = 0; index < MANY; index++) {
		ck_assert_int_eq(heap_free(heap, blocks[index]), 0);
		ck_assert_uint_le(own()->tops[1], caches->at[2]);
		kept = cached_count(own(), 1);
	}
	ck_assert_uint_eq(kept, MANY);
}
END_TEST

/* No call takes from them while it holds. */
START_TEST(a_limit_empties_the_caches)
{
	struct bh_cache *cache;

	if (is_off())
		return;
	blocks_make(8, 64);
	blocks_free(8);
	cache = own();
	ck_assert_uint_gt(cached_all(cache), 0);
	ck_assert_int_eq(bheap_set_limit(heap, MIB), 0);
	ck_assert_uint_eq(cached_all(cache), 0);
	ck_assert_int_eq(bheap_set_limit(heap, 0), 0);
}
END_TEST

/* 32 places: the older half goes. */
START_TEST(half_of_a_full_size_goes)
{
	if (is_off())
		return;
	heap_change(64 * MIB);
	blocks_make(33, 1024);
	cache_drain(1024);
	blocks_free(32);
	ck_assert_uint_eq(cached_count(own(), 64), 32);
	ck_assert_int_eq(heap_free(heap, blocks[32]), 0);
	ck_assert_uint_eq(cached_count(own(), 64), 17);
	ck_assert_ptr_eq(bheap_alloc(heap, 1024), blocks[32]);
	ck_assert_ptr_eq(bheap_alloc(heap, 1024), blocks[31]);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* Other sizes have all that this thread may keep. */
START_TEST(a_new_size_gets_room)
{
	if (is_off())
		return;
	for (size_t size = 16; size <= 1024; size += 16) {
		struct bh_cache *cache;

		blocks_make(20, size);
		blocks_free(20);
		cache = own();
		ck_assert_uint_gt(cached_count(cache, size / 16), 0);
		ck_assert_uint_le(cache->granted, heap->core.bins.span / 64);
	}
	ck_assert_uint_eq(figures().used, 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* A 64th of a small heap is less than a block: it works, and keeps nothing. */
START_TEST(a_heap_too_small_to_keep_any)
{
	ck_assert_int_eq(bheap_destroy(heap), 0);
	heap = bheap_create(8192, BHEAP_CACHED);
	caches = bh_caches(heap);
	blocks_make(6, 1000);
	blocks_free(6);
	if (!is_off())
		ck_assert_uint_eq(cached_all(own()), 0);
	ck_assert_uint_eq(figures().used, 0);
}
END_TEST

/* ---- written to, and freed twice ---- */

static void report_is_of(const char *block, unsigned count)
{
	ck_assert_uint_eq(faults.count, count);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_WRITTEN_FREE);
	ck_assert_ptr_eq(faults.last.address, block);
}

/* What is met by the one call that needs it; the block is dropped. */
START_TEST(a_written_block_is_not_handed_out)
{
	unsigned before;

	if (is_off())
		return;
	blocks_make(4, 64);
	cache_drain(64);
	blocks_free(4);
	before = cached_count(own(), 4);
	memory_scribble(blocks[3], "written", 8);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 64));
	report_is_of(blocks[3], 1);
	ck_assert_uint_eq(cached_count(own(), 4), before - 1);
	for (unsigned index = 0; index < 100; index++)
		ck_assert_ptr_ne(bheap_alloc(heap, 64), blocks[3]);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

START_TEST(a_written_block_stays_when_all_goes)
{
	if (is_off())
		return;
	blocks_make(8, 64);
	blocks_free(8);
	memory_scribble(blocks[2], "written", 8);
	figures_are(64, 1, 8, 7);
	report_is_of(blocks[2], 1);
	figures_are(64, 1, 8, 7);
	ck_assert_uint_eq(faults.count, 1);
	/* It is live: the program may free it. */
	ck_assert_int_eq(heap_free(heap, blocks[2]), 0);
	ck_assert_uint_eq(figures().used, 0);
}
END_TEST

START_TEST(a_written_block_stays_when_half_goes)
{
	if (is_off())
		return;
	heap_change(64 * MIB);
	blocks_make(33, 1024);
	cache_drain(1024);
	blocks_free(32);
	memory_scribble(blocks[5], "written", 8);
	ck_assert_int_eq(heap_free(heap, blocks[32]), 0);
	report_is_of(blocks[5], 1);
	ck_assert_uint_eq(cached_count(own(), 64), 17);
}
END_TEST

/* More of the older half than a call reports: the others stay in their places. */
START_TEST(many_written_blocks_when_half_goes)
{
	char *block[65];
	unsigned left;

	if (is_off())
		return;
	heap_change(64 * MIB);
	for (unsigned index = 0; index < 65; index++)
		ck_assert_ptr_nonnull(block[index] = bheap_alloc(heap, 64));
	cache_drain(64);
	for (unsigned index = 0; index < 64; index++)
		ck_assert_int_eq(heap_free(heap, block[index]), 0);
	ck_assert_uint_eq(cached_count(own(), 4), 64);
	for (unsigned index = 0; index < 32; index++)
		memory_scribble(block[index], "written", 8);
	ck_assert_int_eq(heap_free(heap, block[64]), 0);
	ck_assert(faults.count > 10 && faults.count < 32);
	left = 32 - faults.count;
	ck_assert_uint_eq(cached_count(own(), 4), left + 33);
	for (unsigned index = 0; index < left; index++)
		ck_assert_ptr_eq(bh_core_address(&heap->core, own()->places[caches->at[4] + index]),
				 block[32 - left + index]);
	for (unsigned index = 64; index >= 32; index--)
		ck_assert_ptr_eq(bheap_alloc(heap, 64), block[index]);
}
END_TEST

START_TEST(the_check_tells_what_was_written)
{
	struct bheap_fault fault;

	if (is_off())
		return;
	blocks_make(8, 64);
	blocks_free(8);
	memory_scribble(blocks[6], "written", 8);
	errno = 0;
	ck_assert_int_eq(bheap_check(heap, &fault), -1);
	ck_assert_errno(EUCLEAN);
	ck_assert_int_eq(fault.kind, BHEAP_FAULT_WRITTEN_FREE);
	ck_assert_ptr_eq(fault.address, blocks[6]);
	ck_assert_ptr_nonnull(strstr(fault.text, "in a thread's cache"));
	ck_assert(!(caches->state & BH_CACHES_CLOSED));
	ck_assert_uint_gt(cached_count(own(), 4), 0);
}
END_TEST

START_TEST(a_check_closes_no_caches_that_nobody_has)
{
	threads_begin();
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_uint_eq(caches->state, 0);
}
END_TEST

/* More than a call reports: they are told by the next ones, and what is whole is free at once. */
START_TEST(many_written_blocks)
{
	unsigned drained;

	if (is_off())
		return;
	heap_change(64 * MIB);
	blocks_make(MANY, 64);
	drained = cache_drain(64);
	blocks_free(MANY);
	ck_assert_uint_eq(cached_count(own(), 4), MANY);
	for (unsigned index = 1; index < MANY; index++)
		memory_scribble(blocks[index], "written", 8);
	ck_assert_uint_eq(figures().used, (MANY - 1 + drained) * 64);
	ck_assert_uint_lt(faults.count, MANY - 1);
	for (unsigned calls = 0; calls < 5; calls++)
		ck_assert_uint_eq(figures().used, (MANY - 1 + drained) * 64);
	ck_assert_uint_eq(faults.count, MANY - 1);
	ck_assert_uint_eq(figures().faults, MANY - 1);
	figures_are((MANY - 1 + drained) * 64, MANY - 1 + drained, MANY + drained, 1);
}
END_TEST

START_TEST(a_second_free_is_told)
{
	if (is_off())
		return;
	blocks_make(3, 64);
	blocks_free(3);
	for (unsigned index = 0; index < 3; index++) {
		errno = 0;
		ck_assert_int_eq(heap_free(heap, blocks[index]), -1);
		ck_assert_errno(EINVAL);
		ck_assert_uint_eq(faults.count, index + 1);
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DOUBLE_FREE);
		ck_assert_ptr_eq(faults.last.address, blocks[index]);
		ck_assert_uint_eq(faults.last.size, 64);
	}
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(heap, blocks[1], 64));
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(heap_free(heap, blocks[1] + 16), -1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DOUBLE_FREE);
}
END_TEST

/* Freed, written, freed again: two places name the block. One of them is told of. */
START_TEST(a_second_free_after_a_write)
{
	char *first, *second;

	if (is_off())
		return;
	blocks_make(2, 64);
	cache_drain(64);
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
	memory_scribble(blocks[0], "written", 8);
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
	first = bheap_alloc(heap, 64);
	second = bheap_alloc(heap, 64);
	ck_assert_ptr_eq(first, blocks[0]);
	ck_assert_ptr_ne(second, blocks[0]);
	report_is_of(blocks[0], 1);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* What the second place names became part of another block, and a block of another size. */
START_TEST(a_second_free_leaves_a_place_of_another_size)
{
	struct bh_cache *cache;
	char *small;

	if (is_off())
		return;
	blocks_make(8, 256);
	blocks_free(8);
	figures();
	blocks_make(1, 256);
	cache = own();
	cache_drain(256);
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
	memory_scribble(blocks[0], "written", 8);
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
	ck_assert_uint_eq(cached_count(cache, 16), 2);
	/* The older of them goes back, and is cut into small blocks. */
	{
		struct bh_call call;

		ck_assert(bh_enter_to_change(&call, heap));
		bh_cache_clear_mark(blocks[0]);
		bh_block_release(&call, bh_core_find(&heap->core, blocks[0]));
		bh_leave(&call);
		cache->places[caches->at[16]] = cache->places[caches->at[16] + 1];
		bh_cache_set_top(cache, 16, caches->at[16] + 1);
	}
	do
		ck_assert_ptr_nonnull(small = bheap_alloc(heap, 32));
	while (small != blocks[0]);
	ck_assert_int_eq(heap_free(heap, small), 0);
	ck_assert_ptr_ne(bheap_alloc(heap, 256), blocks[0]);
	report_is_of(blocks[0], 1);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* Two places name a block that is free once the first of them has been emptied. */
START_TEST(a_second_free_after_a_write_when_all_goes)
{
	if (is_off())
		return;
	blocks_make(2, 64);
	cache_drain(64);
	figures();
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
	memory_scribble(blocks[0], "written", 8);
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
	figures();
	report_is_of(blocks[0], 1);
	ck_assert(!bheap_owns(heap, blocks[0]));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

static int block_find(const struct bheap_block *block, void *arg)
{
	if (block->used && block->address != blocks[0])
		*(void **)arg = (void *)(uintptr_t)block->address;
	return 0;
}

/* What is live, but for the written block: it goes into the cache. */
static void free_live(const struct bheap_fault *fault, void *arg)
{
	void *live = NULL;

	faults_record(fault, arg);
	require(!bheap_walk(heap, block_find, &live));
	require(live && !heap_free(heap, live));
}

/* A handler that is called before the block is returned frees it. */
START_TEST(a_handler_frees_what_would_be_returned)
{
	if (is_off())
		return;
	ck_assert_int_eq(bheap_set_fault_handler(heap, free_live, &faults), 0);
	blocks_make(1, 64);
	cache_drain(64);
	blocks_free(1);
	memory_scribble(blocks[0], "written", 8);
	errno = 0;
	ck_assert_ptr_null(bheap_alloc(heap, 64));
	ck_assert_errno(ENOMEM);
	report_is_of(blocks[0], 1);
	ck_assert_uint_eq(figures().used, 64);
}
END_TEST

/* No table of the program's is there any more. */
START_TEST(a_slot_in_a_cached_block_is_refused)
{
	uint64_t *slots = bheap_calloc(heap, 8, sizeof(*slots));

	ck_assert_ptr_nonnull(bheap_alloc_into(heap, &slots[3], 100));
	heap_free(heap, slots);
	errno = 0;
	ck_assert_ptr_null(bheap_alloc_into(heap, &slots[3], 100));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_free_from(heap, &slots[3]), -1);
	ck_assert_errno(EINVAL);
}
END_TEST

START_TEST(a_slot_that_names_a_cached_block)
{
	uint64_t *slots = bheap_calloc(heap, 8, sizeof(*slots));
	uint64_t kept;

	ck_assert_ptr_nonnull(bheap_alloc_into(heap, slots, 100));
	kept = *slots;
	ck_assert_int_eq(heap_free(heap, bheap_pointer(heap, kept)), 0);
	errno = 0;
	ck_assert_int_eq(bheap_free_from(heap, slots), -1);
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DOUBLE_FREE);
	ck_assert_uint_eq(*slots, kept);
}
END_TEST

/* Free blocks next to cached ones were written to: what the caches hold goes back all the same. */
START_TEST(damage_is_met_while_all_goes)
{
	static const unsigned char damage[16] = "use after free!";
	char *large[6];

	if (is_off())
		return;
	for (unsigned index = 0; index < 6; index++) {
		large[index] = bheap_alloc(heap, 1500);
		blocks_make(1, 128);
		memcpy(&blocks[10 + index], &blocks[0], sizeof(blocks[0]));
	}
	for (unsigned index = 0; index < 6; index++)
		ck_assert_int_eq(heap_free(heap, large[index]), 0);
	for (unsigned index = 0; index < 6; index++)
		ck_assert_int_eq(heap_free(heap, blocks[10 + index]), 0);
	for (unsigned index = 0; index < 6; index++)
		memory_scribble(large[index], damage, sizeof(damage));
	ck_assert_uint_eq(figures().used, 0);
	ck_assert_uint_ge(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DAMAGED_INDEX);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* ---- figures ---- */

START_TEST(counters_are_exact)
{
	uint64_t random = 7, allocations = 0, frees = 0, live = 0;

	for (unsigned step = 0; step < 20000; step++) {
		unsigned index = (unsigned)random_below(&random, MANY);

		if (blocks[index]) {
			ck_assert_int_eq(heap_free(heap, blocks[index]), 0);
			blocks[index] = NULL;
			frees++;
			live--;
		} else if ((blocks[index] = bheap_alloc(heap, random_below(&random, 1200)))) {
			allocations++;
			live++;
		}
		if (step % 1000 == 999) {
			struct bheap_stats stats = figures();

			ck_assert_uint_eq(stats.allocations, allocations);
			ck_assert_uint_eq(stats.frees, frees);
			ck_assert_uint_eq(stats.live_blocks, live);
		}
	}
}
END_TEST

/* As after hours of calls without a look at the figures. */
START_TEST(counters_are_wide)
{
	if (is_off())
		return;
	blocks_make(1, 16);
	own()->fills += UINT32_MAX;
	own()->pops += UINT32_MAX;
	blocks_make(MANY, 16);
	figures_are((MANY + 1) * 16, MANY + 1, MANY + 1, 0);
}
END_TEST

/* The peak counts what caches hold: a 64th more at most. */
START_TEST(the_peak_is_near)
{
	uint64_t peak;

	blocks_make(MANY, 500);
	blocks_free(MANY);
	blocks_make(MANY, 900);
	peak = figures().peak_used;
	ck_assert_uint_ge(peak, MANY * 912);
	ck_assert_uint_le(peak, MANY * 912 + 32 * MIB / 64);
}
END_TEST

static int none_are_used(void *unused)
{
	(void)unused;
	return bheap_used(heap) != 0;
}

START_TEST(what_is_used_is_told_and_caches_stay)
{
	struct child child;
	unsigned count;

	if (is_off())
		return;
	blocks_make(8, 64);
	ck_assert_uint_eq(bheap_used(heap), 8 * 64);
	blocks_free(8);
	count = cached_all(own());
	ck_assert_uint_gt(count, 0);
	ck_assert_uint_eq(bheap_used(heap), 0);
	ck_assert_uint_eq(cached_all(own()), count);
	child_run(&child, none_are_used, NULL);
	child_assert_exited(&child, 0);
	bh_cached_keep(heap);
	ck_assert_uint_eq(bheap_used(heap), count * 64);
}
END_TEST

/* For the end of a process: they are counted, and nothing empties them any more. */
START_TEST(what_is_kept_is_counted)
{
	struct bh_cached_count count;
	struct bh_cache *cache;

	if (is_off())
		return;
	blocks_make(8, 64);
	blocks_free(8);
	cache = own();
	count = bh_cached_keep(heap);
	ck_assert_uint_eq(count.blocks, cached_all(cache));
	ck_assert_uint_eq(count.granules, 4 * count.blocks);
	ck_assert_uint_eq(count.calls, cache->pops - cache->fills);
	ck_assert_uint_eq(figures().live_blocks, count.blocks);
	ck_assert_uint_eq(cached_all(cache), count.blocks);
}
END_TEST

/* A signal handler interrupted its owner, and looks at the figures. */
START_TEST(a_cache_at_work_stays)
{
	struct bh_cache *cache;
	unsigned count;

	if (is_off())
		return;
	blocks_make(8, 64);
	blocks_free(8);
	cache = own();
	count = cached_all(cache);
	cache->busy = 1;
	ck_assert_uint_eq(figures().live_blocks, count);
	ck_assert_uint_eq(cached_all(cache), count);
	cache->busy = 0;
	ck_assert_uint_eq(figures().live_blocks, 0);
}
END_TEST

/* Other sizes are to go, and more of them were written to than a call reports. */
START_TEST(written_blocks_stay_when_another_size_wants_room)
{
	char *other;

	if (is_off())
		return;
	heap_change(64 * MIB);
	blocks_make(MANY, 64);
	other = bheap_alloc(heap, 300);
	ck_assert_ptr_nonnull(other);
	blocks_free(MANY);
	for (unsigned index = 0; index < MANY; index++)
		memory_scribble(blocks[index], "written", 8);
	caches->pool = 0;
	own()->granted -= own()->room;
	own()->room = 0;
	ck_assert_int_eq(heap_free(heap, other), 0);
	ck_assert_uint_gt(faults.count, 0);
	ck_assert_uint_gt(cached_count(own(), 4), 0);
	ck_assert_uint_eq(cached_count(own(), 19), 1);
	ck_assert(!bheap_owns(heap, other));
}
END_TEST

/* ---- a request that makes room in vain ---- */

/* A block goes into the cache between the copy that finds no room and what is tried next. */
static bool cache_refill(const struct bheap_refusal *refusal, void *count)
{
	char *block = bheap_alloc(refusal->heap, 500);

	require(block && !heap_free(refusal->heap, block));
	++*(unsigned *)count;
	return false;
}

/* The copy emptied the caches; what has come into one since must not keep the block from growing.
 */
START_TEST(a_resize_finds_what_was_cached_since)
{
	unsigned called = 0;
	char *block, *next;

	if (is_off())
		return;
	ck_assert_int_eq(bheap_destroy(heap), 0);
	heap = bh_growing_create(MIB, BHEAP_CACHED, false);
	ck_assert_ptr_nonnull(heap);
	caches = bh_caches(heap);
	ck_assert_uint_eq(bh_handle_ahead(heap), 0);
	bheap_set_refusal_handler(heap, cache_refill, &called);
	block = bheap_alloc(heap, MIB * 5 / 8);
	next = bheap_alloc(heap, 500);
	ck_assert(block && next);
	ck_assert_int_eq(heap_free(heap, next), 0);
	ck_assert_ptr_eq(bheap_realloc(heap, block, MIB * 6 / 8), block);
	ck_assert_uint_eq(called, 1);
	ck_assert_uint_eq(figures().failures, 0);
	ck_assert_uint_eq(figures().used, MIB * 6 / 8);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* ---- threads that ended ---- */

static void *cache_and_end(void *arg)
{
	blocks_make(8, 200);
	blocks_free(8);
	*(struct bh_cache **)arg = bh_cache_own(caches);
	return NULL;
}

/* Without a request that needs it, and without a new thread. */
START_TEST(what_an_ended_thread_had_goes_back)
{
	struct bh_cache *cache;
	pthread_t thread;

	if (is_off())
		return;
	blocks_make(1, 2000);
	blocks_make(1, 64);
	ck_assert_int_eq(pthread_create(&thread, NULL, cache_and_end, &cache), 0);
	pthread_join(thread, NULL);
	ends_await(caches);
	ck_assert_uint_gt(cached_all(cache), 0);
	for (size_t size = 16; size <= 1024 && cache->owner; size += 16)
		for (unsigned count = 0; count < 8; count++)
			ck_assert_ptr_nonnull(bheap_alloc(heap, size));
	ck_assert_int_eq(cache->owner, 0);
	ck_assert_uint_eq(cached_all(cache), 0);
	ck_assert_uint_eq(cache->granted, 0);
}
END_TEST

/* What was written there is told in several calls: it has an owner until all is told. */
START_TEST(what_an_ended_thread_had_was_written)
{
	struct bh_cache *cache;
	pthread_t thread;
	unsigned written;

	if (is_off())
		return;
	blocks_make(1, 64);
	ck_assert_int_eq(pthread_create(&thread, NULL, cache_and_end, &cache), 0);
	pthread_join(thread, NULL);
	ends_await(caches);
	written = cached_all(cache);
	for (unsigned at = 0; at < written; at++)
		memory_scribble(bh_core_address(&heap->core, cache->places[caches->at[13] + at]),
				"written", 8);
	for (size_t size = 16; size <= 1024 && cache->owner; size += 16)
		for (unsigned count = 0; count < 8; count++)
			ck_assert_ptr_nonnull(bheap_alloc(heap, size));
	ck_assert_int_eq(cache->owner, 0);
	ck_assert_uint_eq(faults.count, written);
	ck_assert_uint_eq(cached_all(cache), 0);
}
END_TEST

/* ---- forks ---- */

static int child_counts(void *arg)
{
	void *first, *large = NULL;
	struct bheap_stats stats;

	/* Nothing that was on its way is taken for them. */
	threads_begin();
	if (!bheap_owns(heap, heap))
		large = bheap_alloc(heap, 2000);
	first = bheap_alloc(heap, 64);
	if (!first || !large || heap_free(heap, first) || heap_free(heap, large))
		return 3;
	stats = figures();
	if (stats.used != *(uint64_t *)arg || bheap_check(heap, NULL))
		return 1;
	/* None of them bears the mark of before. */
	blocks_make(MANY, 64);
	blocks_free(MANY);
	return faults.count || figures().used != stats.used ? 2 : 0;
}

static void child_finds(uint64_t used)
{
	struct child child;

	child_run(&child, child_counts, &used);
	child_assert_exited(&child, 0);
}

START_TEST(a_child_finds_what_was_cached)
{
	size_t size = (size_t[]){16, 64, 1024}[_i];

	if (is_off())
		return;
	blocks_make(20, size);
	for (unsigned index = 4; index < 20; index++)
		ck_assert_int_eq(heap_free(heap, blocks[index]), 0);
	ck_assert_uint_gt(cached_count(own(), size / 16), 0);
	child_finds(4 * size);
	ck_assert_uint_eq(figures().used, 4 * size);
}
END_TEST

/* The threads that were at work are not there. */
START_TEST(a_child_finds_what_was_under_way)
{
	struct bh_cache *cache;
	unsigned top;

	if (is_off())
		return;
	blocks_make(20, 64);
	blocks_free(20);
	cache = own();
	top = cache->tops[4];
	ck_assert_uint_gt(cached_count(cache, 4), 4);
	switch (_i) {
	case 0: /* an owner has taken one, and not unmarked it */
	case 1: /* or has marked it, and not put it yet */
		cache->busy = 1;
		bh_cache_set_top(cache, 4, top - 1);
		break;
	case 2: /* one is on its way to the heap, and its mark is gone */
		caches->flushing = cache->places[top - 1];
		bh_cache_clear_mark(bh_core_address(&heap->core, caches->flushing));
		break;
	case 3: /* it has arrived */
	{
		struct bh_call call;

		ck_assert(bh_enter_to_change(&call, heap));
		caches->flushing = cache->places[top - 1];
		bh_cache_clear_mark(bh_core_address(&heap->core, caches->flushing));
		bh_block_release(&call, caches->flushing);
		bh_leave(&call);
	} break;
	case 4: /* it still bears its mark */ caches->flushing = cache->places[top - 1]; break;
	case 5: /* one was taken, and has no place */
		caches->filling = true;
		heap->core.control->pending = cache->places[top - 1];
		bh_cache_clear_mark(bh_core_address(&heap->core, cache->places[top - 1]));
		break;
	default: /* they were closed */ caches->state = BH_CACHES_CLOSED;
	}
	child_finds(0);
}
END_TEST

/* Half of a batch is there. */
START_TEST(a_child_finds_half_a_batch)
{
	uint32_t block;

	if (is_off())
		return;
	blocks_make(1, 64);
	block = bh_core_find(&heap->core, blocks[0]);
	own()->places[caches->at[4] + 20] = block;
	bh_cache_set_mark(caches, blocks[0], 4);
	child_finds(0);
	bh_cache_clear_mark(blocks[0]);
}
END_TEST

static void batch_tests_add(TCase *tcase)
{
	tcase_add_test(tcase, batches_grow);
	tcase_add_test(tcase, a_batch_is_handed_out_in_order_of_addresses);
	tcase_add_test(tcase, a_batch_ends_with_the_heap);
	tcase_add_test(tcase, more_are_kept_each_time);
	tcase_add_test(tcase, a_limit_empties_the_caches);
	tcase_add_test(tcase, half_of_a_full_size_goes);
	tcase_add_test(tcase, a_new_size_gets_room);
	tcase_add_test(tcase, a_heap_too_small_to_keep_any);
	tcase_add_test(tcase, counters_are_exact);
	tcase_add_test(tcase, counters_are_wide);
	tcase_add_test(tcase, the_peak_is_near);
	tcase_add_test(tcase, what_is_used_is_told_and_caches_stay);
	tcase_add_test(tcase, what_is_kept_is_counted);
	tcase_add_test(tcase, a_cache_at_work_stays);
	tcase_add_test(tcase, written_blocks_stay_when_another_size_wants_room);
}

static void misuse_tests_add(TCase *tcase)
{
	tcase_add_test(tcase, a_written_block_is_not_handed_out);
	tcase_add_test(tcase, a_written_block_stays_when_all_goes);
	tcase_add_test(tcase, a_written_block_stays_when_half_goes);
	tcase_add_test(tcase, many_written_blocks_when_half_goes);
	tcase_add_test(tcase, the_check_tells_what_was_written);
	tcase_add_test(tcase, a_check_closes_no_caches_that_nobody_has);
	tcase_add_test(tcase, many_written_blocks);
	tcase_add_test(tcase, a_second_free_is_told);
	tcase_add_test(tcase, a_second_free_after_a_write);
	tcase_add_test(tcase, a_second_free_after_a_write_when_all_goes);
	tcase_add_test(tcase, a_second_free_leaves_a_place_of_another_size);
	tcase_add_test(tcase, a_handler_frees_what_would_be_returned);
	tcase_add_test(tcase, a_slot_in_a_cached_block_is_refused);
	tcase_add_test(tcase, a_slot_that_names_a_cached_block);
	tcase_add_test(tcase, damage_is_met_while_all_goes);
}

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("cached", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	batch_tests_add(tcase);
	misuse_tests_add(tcase);
	tcase_add_test(tcase, a_resize_finds_what_was_cached_since);
	tcase_add_test(tcase, what_an_ended_thread_had_goes_back);
	tcase_add_test(tcase, what_an_ended_thread_had_was_written);
	tcase_add_loop_test(tcase, a_child_finds_what_was_cached, 0, 3);
	tcase_add_loop_test(tcase, a_child_finds_what_was_under_way, 0, 7);
	tcase_add_test(tcase, a_child_finds_half_a_batch);
	return suite_run(suite);
}
