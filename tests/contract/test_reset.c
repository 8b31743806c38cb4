/* SPDX-License-Identifier: MIT */
/*
 * test_reset.c - bheap_reset() as bheap_reset(3) has it, on heaps of every kind.
 */
#include "places.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 200, BLOCK = 100 };

static char *blocks[BLOCKS];

/* Blocks of several sizes, with a hole after every third. */
static void heap_make_used(int index)
{
	heap_make(index);
	for (size_t number = 0; number < BLOCKS; number++) {
		blocks[number] = bheap_alloc(heap, number % 7 * 32 + BLOCK);
		ck_assert_ptr_nonnull(blocks[number]);
		memset(blocks[number], 0xa5, number % 7 * 32 + BLOCK);
	}
	for (size_t number = 2; number < BLOCKS; number += 3) {
		ck_assert_int_eq(heap_free(heap, blocks[number]), 0);
		blocks[number] = NULL;
	}
	errno = 0;
}

static void heap_is_empty(void)
{
	struct bheap_stats stats = stats_now();

	ck_assert_uint_eq(stats.used, 0);
	ck_assert_uint_eq(stats.free, size);
	ck_assert_uint_eq(stats.largest_free, size);
	ck_assert_uint_eq(stats.free_blocks, 1);
	ck_assert_uint_eq(stats.live_blocks, 0);
	ck_assert_uint_eq(stats.allocations, stats.frees);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}

static void reset_works(void)
{
	errno = 0;
	ck_assert_int_eq(bheap_reset(heap), 0);
	ck_assert_int_eq(errno, 0);
	heap_is_empty();
}

START_TEST(all_blocks_are_free)
{
	struct bheap_stats before;
	char *all;

	heap_make_used(_i);
	before = stats_now();
	reset_works();
	ck_assert_uint_eq(stats_now().peak_used, before.peak_used);
	ck_assert_uint_eq(stats_now().allocations, BLOCKS);
	all = bheap_alloc(heap, size - trailer);
	ck_assert_ptr_nonnull(all);
	memset(all, 0x5a, size - trailer);
	ck_assert_int_eq(heap_free(heap, all), 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(an_empty_heap_stays_so)
{
	heap_make(_i);
	reset_works();
	reset_works();
	ck_assert_uint_eq(stats_now().peak_used, 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(no_block_lives_on)
{
	heap_make_used(_i);
	reset_works();
	for (size_t number = 0; number < BLOCKS; number++)
		ck_assert(!bheap_owns(heap, blocks[number]));
	ck_assert_int_eq(heap_free(heap, blocks[BLOCKS / 2]), -1);
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DOUBLE_FREE);
}
END_TEST

/* Full to its end, by one block and by many. */
START_TEST(a_full_heap_is_empty_again)
{
	heap_make(_i);
	ck_assert_ptr_nonnull(bheap_alloc(heap, size - trailer));
	reset_works();
	while (bheap_alloc(heap, 48))
		;
	while (bheap_alloc(heap, 1))
		;
	ck_assert_uint_le(stats_now().free, 2 * trailer);
	reset_works();
}
END_TEST

static bool refusal_count(const struct bheap_refusal *refusal, void *arg)
{
	ck_assert_ptr_eq(refusal->heap, heap);
	++*(unsigned *)arg;
	return false;
}

START_TEST(what_is_set_stays)
{
	unsigned answers = 0;
	struct bheap_stats before;

	heap_make_used(_i);
	ck_assert_int_eq(bheap_set_limit(heap, size / 2), 0);
	ck_assert_int_eq(bheap_set_refusal_handler(heap, refusal_count, &answers), 0);
	ck_assert_ptr_null(bheap_alloc(heap, size));
	before = stats_now();
	reset_works();
	ck_assert_uint_eq(bheap_limit(heap), size / 2);
	ck_assert_uint_eq(stats_now().failures, before.failures);
	ck_assert_uint_eq(stats_now().largest_refused, before.largest_refused);
	ck_assert_ptr_null(bheap_alloc(heap, size / 2 + 16));
	ck_assert_uint_eq(answers, 2);
}
END_TEST

START_TEST(the_root_is_no_more)
{
	heap_make_used(_i);
	ck_assert_int_eq(bheap_set_root(heap, blocks[1]), 0);
	reset_works();
	ck_assert_ptr_null(bheap_root(heap));
	ck_assert_ptr_nonnull(bheap_root_alloc(heap, 100));
}
END_TEST

/* Each block's own slot was the last one that the heap knew. */
START_TEST(no_slot_is_remembered)
{
	uint64_t *slot;

	heap_make(_i);
	slot = bheap_calloc(heap, 1, 64);
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, slot, 10));
	reset_works();
	ck_assert_ptr_null(bheap_alloc_into(heap, (uint64_t *)(uintptr_t)slot, 10));
	ck_assert_errno(EINVAL);
}
END_TEST

/* More faults than one call can note. */
START_TEST(every_overflow_is_reported)
{
	heap_make_used(_i);
	if (!trailer)
		return;
	for (size_t number = 0; number < BLOCKS; number++)
		if (blocks[number])
			memory_change(blocks[number] + bheap_usable_size(heap, blocks[number]),
				      0x77);
	ck_assert_int_eq(bheap_reset(heap), 0);
	ck_assert_uint_eq(faults.count, BLOCKS - BLOCKS / 3);
	heap_is_empty();
}
END_TEST

/* Nothing looks at free blocks that were written to, except guards, and the library for tools. */
START_TEST(damage_does_no_harm)
{
	char *freed[3];

	heap_make_used(_i);
	for (int number = 0; number < 3; number++) {
		freed[number] = blocks[6 * number + 1];
		ck_assert_int_eq(heap_free(heap, freed[number]), 0);
	}
	for (int number = 0; number < 3; number++)
		memory_scribble(freed[number], "0123456789abcdef", 16);
	ck_assert_int_eq(bheap_reset(heap), 0);
	if (!trailer && !is_watched())
		ck_assert_uint_eq(faults.count, 0);
	heap_is_empty();
}
END_TEST

/* A random heap is filled, reset, and used as a new one, again and again. */
START_TEST(a_heap_serves_request_after_request)
{
	uint64_t random = environment_number("BHEAP_TEST_SEED", 7) + (uint64_t)_i;

	heap_make(_i);
	for (int round = 0; round < 100; round++) {
		size_t wanted = 1 + random_below(&random, 3000);
		char *block;

		while ((block = bheap_alloc(heap, 1 + random_below(&random, wanted)))) {
			memset(block, round, 1);
			if (!random_below(&random, 3))
				ck_assert_int_eq(heap_free(heap, block), 0);
			else if (!random_below(&random, 20))
				break;
		}
		reset_works();
	}
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

static int reset_in_callback(const struct bheap_block *block, void *arg)
{
	(void)block;
	*(int *)arg = bheap_reset(heap);
	return 1;
}

START_TEST(not_inside_a_walk)
{
	int result = 0;

	heap_make_used(_i);
	if (places[_i].flags & BHEAP_UNLOCKED)
		return;
	ck_assert_int_eq(bheap_walk(heap, reset_in_callback, &result), 1);
	ck_assert_int_eq(result, -1);
	ck_assert_errno(EDEADLK);
	ck_assert(bheap_owns(heap, blocks[0]));
}
END_TEST

/* ---- shared heaps ---- */

static void refused(int error)
{
	errno = 0;
	ck_assert_int_eq(bheap_reset(heap), -1);
	ck_assert_errno(error);
	ck_assert(bheap_owns(heap, blocks[0]));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}

START_TEST(not_while_another_is_attached)
{
	bheap_t *other;

	heap_make_used(_i);
	other = path_heap(PLACE_SIZE, 0);
	refused(EBUSY);
	ck_assert_int_eq(bheap_close(other), 0);
	reset_works();
}
END_TEST

/* Who can only read is not asked, as with every change. */
START_TEST(a_reader_is_no_obstacle)
{
	bheap_t *reader;

	heap_make_used(_i);
	reader = path_heap_read_only();
	reset_works();
	ck_assert_int_eq(bheap_close(reader), 0);
}
END_TEST

/* The locks are afterwards as they were: another can attach, and then counts. */
START_TEST(others_can_attach_afterwards)
{
	bheap_t *other;

	heap_make_used(_i);
	reset_works();
	other = path_heap(PLACE_SIZE, 0);
	ck_assert_ptr_nonnull(other);
	blocks[0] = bheap_alloc(heap, 10);
	refused(EBUSY);
	ck_assert_int_eq(bheap_close(other), 0);
}
END_TEST

static pid_t fork_child_that_waits(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		child_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	return pid;
}

/* A child has the parent's locks: only a handle that was opened later can tell. */
START_TEST(not_after_a_fork)
{
	pid_t pid;

	heap_make_used(_i);
	pid = fork_child_that_waits();
	refused(EBUSY);
	ck_assert_int_eq(bheap_close(heap), 0);
	heap = path_heap(PLACE_SIZE, 0);
	blocks[0] = bheap_alloc(heap, 10);
	refused(EBUSY);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	reset_works();
}
END_TEST

static int reset_of_parent(void *arg)
{
	(void)arg;
	return bheap_reset(heap) == -1 && errno == EBUSY ? 0 : 1;
}

START_TEST(not_in_a_child)
{
	struct child child;

	heap_make_used(_i);
	child_run(&child, reset_of_parent, NULL);
	child_assert_exited(&child, 0);
	ck_assert(bheap_owns(heap, blocks[0]));
}
END_TEST

/* The descriptor of the heap is the first above those of the test. */
START_TEST(not_without_the_descriptor)
{
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(before);
	heap_make_used(_i);
	closefrom(before);
	refused(EBADF);
	ck_assert_int_eq(open("/dev/null", O_RDWR | O_CLOEXEC), before);
	refused(EBADF);
	close(before);
}
END_TEST

START_TEST(not_read_only)
{
	bheap_t *reader;

	heap_make_used(_i);
	reader = path_heap_read_only();
	ck_assert_int_eq(bheap_reset(reader), -1);
	ck_assert_errno(EROFS);
	ck_assert_int_eq(bheap_close(reader), 0);
}
END_TEST

START_TEST(no_heap)
{
	ck_assert_int_eq(bheap_reset(NULL), -1);
	ck_assert_errno(EINVAL);
}
END_TEST

int main(void)
{
	TCase *tcase, *shared;
	Suite *suite = suite_of("reset", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, all_blocks_are_free, 0, PLACES);
	tcase_add_loop_test(tcase, an_empty_heap_stays_so, 0, PLACES);
	tcase_add_loop_test(tcase, no_block_lives_on, 0, PLACES);
	tcase_add_loop_test(tcase, a_full_heap_is_empty_again, 0, PLACES);
	tcase_add_loop_test(tcase, what_is_set_stays, 0, PLACES);
	tcase_add_loop_test(tcase, the_root_is_no_more, 0, PLACES);
	tcase_add_loop_test(tcase, no_slot_is_remembered, 0, PLACES);
	tcase_add_loop_test(tcase, every_overflow_is_reported, 0, PLACES);
	tcase_add_loop_test(tcase, damage_does_no_harm, 0, PLACES);
	tcase_add_loop_test(tcase, a_heap_serves_request_after_request, 0, PLACES);
	tcase_add_loop_test(tcase, not_inside_a_walk, 0, PLACES);
	tcase_add_test(tcase, no_heap);
	shared = tcase_create("shared");
	suite_add_tcase(suite, shared);
	tcase_add_checked_fixture(shared, setup, teardown);
	tcase_add_loop_test(shared, not_while_another_is_attached, PLACES_SHARED,
			    PLACES_SHARED_END);
	tcase_add_loop_test(shared, a_reader_is_no_obstacle, PLACES_SHARED, PLACES_SHARED_END);
	tcase_add_loop_test(shared, others_can_attach_afterwards, PLACES_SHARED, PLACES_SHARED_END);
	tcase_add_loop_test(shared, not_after_a_fork, PLACES_SHARED, PLACES_SHARED_END);
	tcase_add_loop_test(shared, not_in_a_child, PLACES_SHARED, PLACES_SHARED_END);
	tcase_add_loop_test(shared, not_without_the_descriptor, PLACES_SHARED, PLACES_SHARED_END);
	tcase_add_loop_test(shared, not_read_only, PLACES_SHARED, PLACES_SHARED_END);
	return suite_run(suite);
}
