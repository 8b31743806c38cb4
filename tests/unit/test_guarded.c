/* SPDX-License-Identifier: MIT */
/*
 * test_guarded.c - the fast path of guarded heaps: which work it does, without a lock and with one,
 * and that a byte written where it looks is reported, once, and nothing is lost.
 */
#include "support.h"

#include <unistd.h>

#include "handle/handle.h"

#define SIZE ((size_t)1024 * 1024)
#define TRAILER BHEAP_ALIGNMENT

/* One thread; no lock; a process of several threads. */
enum { PLAIN, UNLOCKED, THREADED, KINDS };

static bheap_t *heap;
static struct faults faults;

static void setup(int kind)
{
	if (kind == THREADED)
		threads_begin();
	heap = bheap_create(SIZE, BHEAP_GUARD | (kind == UNLOCKED ? BHEAP_UNLOCKED : 0));
	ck_assert_ptr_nonnull(heap);
	faults = (struct faults){0};
	bheap_set_fault_handler(heap, faults_record, &faults);
}

static void teardown(void)
{
	struct bheap_fault fault;

	ck_assert_msg(!bheap_check(heap, &fault), "%s", fault.text);
	heap_empty(heap);
	ck_assert_msg(!bheap_check(heap, &fault), "%s", fault.text);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

static char *block_of(size_t size)
{
	char *block = bheap_alloc(heap, size);

	ck_assert_ptr_nonnull(block);
	return memset(block, 0x11, size);
}

static void free_good(const void *block)
{
	ck_assert_int_eq(heap_free(heap, block), 0);
}

static void scribble(const char *at)
{
	memory_change((char *)(uintptr_t)at, 0x5a);
}

static void expect(enum bheap_fault_kind kind)
{
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, kind);
	faults.count = 0;
}

/* ---- what it does ---- */

/* Each way to allocate and to free, of memory that is filled. */
static void small_work(void)
{
	char *blocks[4];

	for (int index = 0; index < 4; index++)
		blocks[index] = block_of(80);
	free_good(blocks[1]);                      /* no free neighbour */
	ck_assert_ptr_eq(block_of(80), blocks[1]); /* of its size */
	free_good(blocks[1]);
	ck_assert_ptr_eq(block_of(16), blocks[1]);      /* split */
	ck_assert_ptr_eq(block_of(16), blocks[1] + 32); /* of the victim */
	ck_assert_ptr_eq(block_of(16), blocks[1] + 64); /* all of it */
	free_good(blocks[1] + 64);
	free_good(blocks[1] + 32); /* before a free one */
	free_good(blocks[2]);      /* after one */
	free_good(blocks[1]);      /* between both */
	ck_assert_ptr_eq(block_of(176), blocks[1]);
	free_good(blocks[3]); /* before the top */
	free_good(blocks[1]);
	free_good(blocks[0]);
}

/* A free block that serves it: what only the top can serve is left to the slow path. */
static void bins_fill(void)
{
	char *large = block_of(368);

	block_of(16);
	free_good(large);
}

START_TEST(small_work_takes_no_lock)
{
	bool watched;

	setup(_i);
	watched = heap->skip_lock != BH_SKIP_LOCK_GUARDED;
	bins_fill();
	/* A walk that does not say so to the fast path: the slow path would be refused. */
	if (!watched && _i != THREADED)
		bh_lock_walk(&heap->lock, true);
	small_work();
	if (!watched && _i != THREADED)
		bh_lock_walk(&heap->lock, false);
	ck_assert_uint_eq(faults.count, 0);
	teardown();
}
END_TEST

/* Each call takes the lock once, and leaves it if that is refused. */
START_TEST(among_threads_the_lock_is_taken)
{
	unsigned turns;
	char *block, *fence;

	setup(THREADED);
	block = block_of(80);
	fence = block_of(16);
	turns = heap->lock.turns;
	for (int round = 0; round < 3; round++) {
		free_good(block);
		ck_assert_ptr_eq(block_of(80), block);
	}
	ck_assert_uint_eq(heap->lock.turns - turns, 6);
	bh_lock_set_detour(&heap->lock, true);
	free_good(block);
	ck_assert_ptr_eq(block_of(80), block);
	bh_lock_set_detour(&heap->lock, false);
	free_good(fence);
	teardown();
}
END_TEST

/* The fast path ends where a limit begins to hold. */
START_TEST(a_limit_holds)
{
	char *block;

	setup(_i);
	block = block_of(80);
	free_good(block_of(80));
	ck_assert_int_eq(bheap_set_limit(heap, 96), 0);
	ck_assert_ptr_null(bheap_alloc(heap, 80));
	free_good(block);
	ck_assert_ptr_eq(block_of(80), block);
	ck_assert_int_eq(bheap_set_limit(heap, 0), 0);
	teardown();
}
END_TEST

/* In the child of a fork that has one thread, as in test_enter, but with a block that is clean. */
START_TEST(a_torn_heap_is_recovered)
{
	char *block, *fence;

	setup(PLAIN);
	block = block_of(80);
	fence = block_of(16);
	free_good(block);
	heap->lock.torn = heap->lock.detour = true;
	ck_assert_ptr_eq(block_of(80), block);
	expect(BHEAP_FAULT_RECOVERED);
	heap->lock.torn = heap->lock.detour = true;
	free_good(block);
	expect(BHEAP_FAULT_RECOVERED);
	free_good(fence);
	teardown();
}
END_TEST

/* ---- what it sees ---- */

/* Any byte of a block in the bin of its size, and of one that is split: the links come first. */
static void byte_of_a_block(size_t at, size_t size)
{
	char *block = block_of(112), *fence = block_of(16);

	free_good(block);
	scribble(block + at);
	ck_assert_ptr_eq(block_of(size), block);
	expect(at < 8 ? BHEAP_FAULT_DAMAGED_INDEX : BHEAP_FAULT_WRITTEN_FREE);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	free_good(block);
	free_good(fence);
	ck_assert_uint_eq(faults.count, 0);
}

START_TEST(any_byte_of_a_free_block)
{
	setup(_i);
	for (size_t at = 0; at < 112 + TRAILER; at++)
		byte_of_a_block(at, 112);
	for (size_t at = 0; at < 48 + TRAILER; at++)
		byte_of_a_block(at, 48);
	teardown();
}
END_TEST

/* What is not handed out is not looked at, until it is. */
START_TEST(a_byte_of_the_rest)
{
	char *block, *fence;

	setup(_i);
	block = block_of(112);
	fence = block_of(16);
	free_good(block);
	scribble(block + 64);
	ck_assert_ptr_eq(block_of(48), block);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_ptr_eq(block_of(48), block + 64);
	expect(BHEAP_FAULT_WRITTEN_FREE);
	free_good(fence);
	teardown();
}
END_TEST

/*
 * A damaged link, met when all else was verified, takes the pattern of no block that stays free.
 * low: the block whose link it is lies below the other.
 */
static void damaged_link(bool low, size_t size)
{
	char *blocks[2], *fences[2], *block;

	for (int index = 0; index < 2; index++) {
		blocks[index] = block_of(112);
		fences[index] = block_of(16);
	}
	free_good(blocks[low]);
	free_good(blocks[!low]);
	scribble(blocks[!low]);
	block = block_of(size);
	expect(BHEAP_FAULT_DAMAGED_INDEX);
	ck_assert(block == blocks[0] || block == blocks[1]);
	scribble(blocks[block == blocks[0]] + 40);
	ck_assert_int_eq(bheap_check(heap, NULL), -1);
	block_of(112);
	expect(BHEAP_FAULT_WRITTEN_FREE);
	free_good(fences[0]);
	free_good(fences[1]);
}

START_TEST(what_is_not_handed_out_stays_watched)
{
	setup(_i);
	for (int low = 0; low < 2; low++) {
		damaged_link(low, 112);
		heap_empty(heap);
		damaged_link(low, 48);
		heap_empty(heap);
	}
	teardown();
}
END_TEST

/* Slack of every size, and the trailer after it. */
START_TEST(any_byte_after_a_block)
{
	setup(_i);
	for (size_t size = 33; size <= 48; size++)
		for (size_t at = size; at < 48 + TRAILER; at++) {
			char *block = block_of(size), *fence = block_of(16);

			scribble(block + at);
			free_good(block);
			expect(BHEAP_FAULT_OVERFLOW);
			free_good(fence);
		}
	teardown();
}
END_TEST

/* The user's own bytes are no slack, whatever they hold. */
START_TEST(any_byte_of_a_block_is_the_users)
{
	setup(_i);
	for (size_t size = 1; size <= 48; size++) {
		char *block = block_of(size), *fence = block_of(16);

		memset(block, 0xb5 ^ 0xff, size);
		free_good(block);
		free_good(fence);
		ck_assert_uint_eq(faults.count, 0);
	}
	teardown();
}
END_TEST

/* A free neighbour's first granule, before a merge takes it. */
START_TEST(any_byte_of_a_neighbour)
{
	setup(_i);
	for (size_t at = 0; at < 32; at++) {
		char *left = block_of(48), *block = block_of(48), *right = block_of(48),
		     *fence = block_of(16);

		free_good(left);
		free_good(right);
		scribble((at < 16 ? left : right) + at % 16);
		free_good(block);
		expect(at % 16 < 8 ? BHEAP_FAULT_DAMAGED_INDEX : BHEAP_FAULT_WRITTEN_FREE);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
		free_good(fence);
		ck_assert_uint_eq(faults.count, 0);
	}
	teardown();
}
END_TEST

/* Pages are decommitted, and then handed out in small pieces: zeros are right there. */
START_TEST(what_was_decommitted)
{
	char *large, *block;

	setup(_i);
	large = block_of(3 * 4096);
	block_of(16);
	free_good(large);
	bheap_trim(heap);
	while ((block = bheap_alloc(heap, 200)) && block < large + 3 * 4096 - 256)
		ck_assert_uint_eq(faults.count, 0);
	teardown();
}
END_TEST

/* A rest that begins where zeros do is no rest of zeros: links and pattern are written there. */
START_TEST(a_rest_of_what_was_decommitted)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pad, *large, *block;

	setup(_i);
	pad = block_of(page - 128 - 96 - TRAILER);
	large = block_of(3 * page);
	block_of(16);
	free_good(large);
	ck_assert_ptr_eq(block_of(96 - TRAILER), large);
	ck_assert_uint_eq((uintptr_t)(large + 96 + 128) % page, 0);
	bheap_trim(heap);
	block = block_of(128 - TRAILER); /* from the victim, to the begin of a page */
	ck_assert_ptr_eq(block, large + 96);
	free_good(block);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	free_good(pad);
	free_good(large);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	teardown();
}
END_TEST

/* What was handed out is filled no more, wherever it comes to lie: in a page that is closed. */
START_TEST(a_block_that_grows_large)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), large = 128 * 1024 + 4 * page;
	char *block, *fence;

	setup(_i);
	block_of(page - 64 - TRAILER);
	block = block_of(480); /* over the end of a page */
	fence = block_of(16);
	free_good(block);
	ck_assert_ptr_eq(block_of(480), block);
	free_good(fence);
	ck_assert_ptr_eq(bheap_realloc(heap, block, large), block);
	memset(block, 0x11, large);
	free_good(block);
	ck_assert_ptr_eq(block_of(large), block);
	ck_assert_uint_eq(faults.count, 0);
	teardown();
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("guarded", &tcase, 60);

	tcase_add_loop_test(tcase, small_work_takes_no_lock, 0, KINDS);
	tcase_add_test(tcase, among_threads_the_lock_is_taken);
	tcase_add_loop_test(tcase, a_limit_holds, 0, KINDS);
	tcase_add_loop_test(tcase, any_byte_of_a_free_block, 0, KINDS);
	tcase_add_loop_test(tcase, a_byte_of_the_rest, 0, KINDS);
	tcase_add_loop_test(tcase, what_is_not_handed_out_stays_watched, 0, KINDS);
	tcase_add_loop_test(tcase, any_byte_after_a_block, 0, KINDS);
	tcase_add_loop_test(tcase, any_byte_of_a_block_is_the_users, 0, KINDS);
	tcase_add_loop_test(tcase, any_byte_of_a_neighbour, 0, KINDS);
	tcase_add_test(tcase, a_torn_heap_is_recovered);
	tcase_add_loop_test(tcase, what_was_decommitted, 0, KINDS);
	tcase_add_loop_test(tcase, a_rest_of_what_was_decommitted, 0, KINDS);
	tcase_add_loop_test(tcase, a_block_that_grows_large, 0, KINDS);
	return suite_run(suite);
}
