/* SPDX-License-Identifier: MIT */
/*
 * test_realloc.c - bheap_realloc() and bheap_reallocarray() as bheap_realloc(3) has them, on each
 * kind of heap.
 */
#include "kinds.h"

START_TEST(realloc_of_null_allocates)
{
	char *block;

	heap_make(_i);
	block = bheap_realloc(heap, NULL, 100);
	ck_assert_ptr_nonnull(block);
	ck_assert_uint_ge(bheap_usable_size(heap, block), 100);
	ck_assert_ptr_nonnull(bheap_realloc(heap, NULL, 0));
}
END_TEST

START_TEST(realloc_to_nothing_keeps_a_granule)
{
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, 1000);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 0), block);
	ck_assert(bheap_owns(heap, block));
	ck_assert_uint_eq(bheap_usable_size(heap, block), 16);
}
END_TEST

START_TEST(realloc_in_place)
{
	char *block, *next;

	heap_make(_i);
	block = bheap_alloc(heap, 64);
	pattern_fill(block, 64, 1);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 64), block);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 2000), block);
	ck_assert(pattern_holds(block, 64, 1));
	pattern_fill(block, 2000, 2);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 500), block);
	next = bheap_alloc(heap, 16);
	heap_free(heap, next);
	ck_assert_ptr_eq(bheap_realloc(heap, block, size_of_all(_i)), block);
	ck_assert(pattern_holds(block, 500, 2));
	ck_assert_ptr_null(bheap_realloc(heap, block, size_of_all(_i) + 1));
	ck_assert_errno(ENOMEM);
	ck_assert(pattern_holds(block, 500, 2));
}
END_TEST

/* Neither a byte less nor one more, on the fast path and on the slow path. */
START_TEST(realloc_to_all_of_the_heap)
{
	struct bheap_stats stats;
	char *block;

	heap = bheap_create(65536, 0);
	if (_i)
		threads_begin();
	bheap_stats(heap, &stats);
	block = bheap_alloc(heap, 100);
	ck_assert_ptr_null(bheap_realloc(heap, block, stats.size + 1));
	ck_assert_errno(ENOMEM);
	ck_assert_ptr_eq(bheap_realloc(heap, block, stats.size), block);
	ck_assert_uint_eq(bheap_usable_size(heap, block), stats.size);
	ck_assert_ptr_null(bheap_realloc(heap, block, stats.size + 1));
	ck_assert_ptr_eq(bheap_realloc(heap, block, 16), block);
}
END_TEST

START_TEST(realloc_moves_when_it_must)
{
	char *block, *next, *moved;

	heap_make(_i);
	block = bheap_alloc(heap, 100);
	next = bheap_alloc(heap, 100);
	pattern_fill(block, 100, 1);
	pattern_fill(next, 100, 2);
	moved = bheap_realloc(heap, block, 1000);
	ck_assert_ptr_nonnull(moved);
	ck_assert_ptr_ne(moved, block);
	ck_assert(pattern_holds(moved, 100, 1));
	ck_assert(pattern_holds(next, 100, 2));
	ck_assert(!bheap_owns(heap, block));
	ck_assert_uint_ge(bheap_usable_size(heap, moved), 1000);
}
END_TEST

/* Room for it exists only together with the free block before it. */
START_TEST(realloc_slides_down_when_all_else_fails)
{
	struct bheap_stats stats;
	char *previous, *block, *next;
	size_t part = size / 4 - 16;

	heap_make(_i);
	previous = bheap_alloc(heap, part);
	block = bheap_alloc(heap, 2 * part);
	next = bheap_alloc(heap, part);
	pattern_fill(block, 2 * part, 3);
	pattern_fill(next, part, 4);
	heap_free(heap, previous);
	errno = 0;
	ck_assert_ptr_eq(bheap_realloc(heap, block, 2 * part + 500), previous);
	ck_assert_errno(0);
	ck_assert(pattern_holds(previous, 2 * part, 3));
	ck_assert(pattern_holds(next, part, 4));
	ck_assert(!bheap_owns(heap, block));
	bheap_stats(heap, &stats);
	ck_assert_uint_eq(stats.failures, 0);
	ck_assert_uint_eq(stats.live_blocks, 2);
	ck_assert_uint_eq(stats.allocations - stats.frees, 2);
}
END_TEST

/* Memcheck, too, knows what the free block before it said of the others of its size. */
START_TEST(a_slide_leaves_the_others_of_the_size)
{
	struct bheap_stats stats;
	char *spare, *previous, *block;

	heap_make(_i);
	spare = bheap_alloc(heap, 160);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1));
	previous = bheap_alloc(heap, 160);
	block = bheap_alloc(heap, 160);
	bheap_stats(heap, &stats);
	ck_assert_ptr_nonnull(
		bheap_alloc(heap, stats.largest_free - (kinds[_i] & BHEAP_GUARD ? 16 : 0)));
	pattern_fill(block, 160, 3);
	heap_free(heap, spare);
	heap_free(heap, previous);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 300), previous);
	ck_assert(pattern_holds(previous, 160, 3));
	ck_assert_ptr_eq(bheap_alloc(heap, 160), spare);
}
END_TEST

START_TEST(realloc_that_fails_changes_nothing)
{
	struct bheap_stats before, after;
	char *block, *next;

	heap_make(_i);
	block = bheap_alloc(heap, size / 2);
	next = bheap_alloc(heap, size / 4);
	pattern_fill(block, size / 2, 1);
	bheap_stats(heap, &before);
	ck_assert_ptr_null(bheap_realloc(heap, block, size));
	ck_assert_errno(ENOMEM);
	bheap_stats(heap, &after);
	ck_assert(bheap_owns(heap, block) && bheap_owns(heap, next));
	ck_assert(pattern_holds(block, size / 2, 1));
	ck_assert_uint_eq(bheap_usable_size(heap, block), size / 2);
	ck_assert_uint_eq(after.failures, before.failures + 1);
	ck_assert_uint_gt(after.last_refused, 0);
	ck_assert_uint_eq(after.used_at_refusal, after.used);
	before.failures = after.failures;
	before.largest_refused = after.largest_refused;
	before.last_refused = after.last_refused;
	before.used_at_refusal = after.used_at_refusal;
	ck_assert_mem_eq(&before, &after, sizeof(before));
}
END_TEST

/* With nothing free after it, and a limit below what is in use: in place, to any size. */
START_TEST(realloc_to_fewer_bytes_never_fails)
{
	char *block, *rest;

	heap_make(_i);
	block = bheap_alloc(heap, size_of_all(_i) / 2);
	rest = bheap_alloc(heap, size_of_all(_i) / 2 - 32);
	ck_assert_ptr_nonnull(rest);
	bheap_set_limit(heap, 16);
	for (size_t wanted = size_of_all(_i) / 2; wanted; wanted--) {
		ck_assert_ptr_eq(bheap_realloc(heap, block, wanted), block);
		ck_assert_uint_ge(bheap_usable_size(heap, block), wanted);
	}
	ck_assert_ptr_eq(bheap_realloc(heap, rest, 1), rest);
	bheap_set_limit(heap, 0);
}
END_TEST

START_TEST(an_overflow_is_reported_at_realloc)
{
	static const size_t sizes[] = {10, 100, 200, 2000};
	char *block, *moved, *next = NULL;

	heap_make(2);
	block = bheap_alloc(heap, 100);
	if (_i % 2)
		next = bheap_alloc(heap, 16);
	pattern_fill(block, 100, 5);
	memory_scribble(block + 100, "!!!!!!!!!!!!!!!!!!!!", 20);
	moved = bheap_realloc(heap, block, sizes[_i / 2]);
	ck_assert_ptr_nonnull(moved);
	ck_assert(pattern_holds(moved, sizes[_i / 2] < 100 ? sizes[_i / 2] : 100, 5));
	ck_assert_uint_ge(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_OVERFLOW);
	ck_assert_ptr_eq(faults.last.address, block);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(heap_free(heap, next), 0);
}
END_TEST

/* As it is when one thread asks. */
START_TEST(a_wrong_pointer_among_threads)
{
	char *block;

	heap_make(_i);
	threads_begin();
	block = bheap_alloc(heap, 100);
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(heap, block + 16, 200));
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_NOT_A_BLOCK);
	ck_assert_ptr_eq(faults.last.address, block + 16);
	ck_assert_ptr_nonnull(bheap_realloc(heap, block, 200));
	ck_assert_uint_eq(faults.count, 1);
}
END_TEST

/* ---- bheap_reallocarray() ---- */

/* As bheap_realloc() to the product, whichever of the factors is large; 0 is a granule. */
START_TEST(reallocarray_to_a_product)
{
	char *block;

	heap_make(_i);
	block = bheap_reallocarray(heap, NULL, 25, 4);
	ck_assert_ptr_nonnull(block);
	ck_assert_uint_eq(bheap_usable_size(heap, block), is_guarded(_i) ? 100 : 112);
	pattern_fill(block, 100, 1);
	ck_assert_ptr_eq(bheap_reallocarray(heap, block, 1, size_of_all(_i)), block);
	ck_assert(pattern_holds(block, 100, 1));
	ck_assert_ptr_eq(bheap_reallocarray(heap, block, size_of_all(_i), 1), block);
	ck_assert_ptr_eq(bheap_reallocarray(heap, block, 5, 10), block);
	ck_assert_uint_eq(bheap_usable_size(heap, block), is_guarded(_i) ? 50 : 64);
	ck_assert(pattern_holds(block, 50, 1));
	ck_assert_ptr_eq(bheap_reallocarray(heap, block, 0, 10), block);
	ck_assert_uint_eq(bheap_usable_size(heap, block), 16);
	ck_assert_ptr_eq(bheap_reallocarray(heap, block, 10, 0), block);
	ck_assert(bheap_owns(heap, block));
}
END_TEST

/* A refusal like any other, with one thread and with several; the block is as it was. */
START_TEST(reallocarray_that_overflows)
{
	static const size_t pairs[][2] = {{SIZE_MAX, 2},           {2, SIZE_MAX},
					  {SIZE_MAX / 2 + 1, 2},   {SIZE_2_TO(32), SIZE_2_TO(32)},
					  {SIZE_MAX / 16 + 1, 16}, {SIZE_MAX / 16 + 2, 16},
					  {SIZE_MAX, SIZE_MAX}};
	const uint64_t count = sizeof(pairs) / sizeof(*pairs);
	struct bheap_stats stats;
	char *block;

	heap_make(_i % KINDS);
	if (_i >= KINDS)
		threads_begin();
	block = bheap_alloc(heap, 100);
	pattern_fill(block, 100, 1);
	for (unsigned index = 0; index < count; index++) {
		volatile size_t elements = pairs[index][0], each = pairs[index][1];

		errno = 0;
		ck_assert_ptr_null(bheap_reallocarray(heap, block, elements, each));
		ck_assert_errno(ENOMEM);
		errno = 0;
		ck_assert_ptr_null(bheap_reallocarray(heap, NULL, elements, each));
		ck_assert_errno(ENOMEM);
		ck_assert(pattern_holds(block, 100, 1));
	}
	ck_assert_uint_eq(bheap_usable_size(heap, block), is_guarded(_i % KINDS) ? 100 : 112);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.failures, 2 * count);
	ck_assert_uint_eq(stats.live_blocks, 1);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("realloc", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, realloc_of_null_allocates, 0, KINDS);
	tcase_add_loop_test(tcase, realloc_to_nothing_keeps_a_granule, 0, KINDS);
	tcase_add_loop_test(tcase, realloc_in_place, 0, KINDS);
	tcase_add_loop_test(tcase, realloc_to_all_of_the_heap, 0, 2);
	tcase_add_loop_test(tcase, realloc_moves_when_it_must, 0, KINDS);
	tcase_add_loop_test(tcase, realloc_slides_down_when_all_else_fails, 0, KINDS);
	tcase_add_loop_test(tcase, a_slide_leaves_the_others_of_the_size, 0, KINDS);
	tcase_add_loop_test(tcase, realloc_that_fails_changes_nothing, 0, KINDS);
	tcase_add_loop_test(tcase, realloc_to_fewer_bytes_never_fails, 0, KINDS);
	tcase_add_loop_test(tcase, an_overflow_is_reported_at_realloc, 0, 8);
	tcase_add_loop_test(tcase, a_wrong_pointer_among_threads, 0, KINDS);
	tcase_add_loop_test(tcase, reallocarray_to_a_product, 0, KINDS);
	tcase_add_loop_test(tcase, reallocarray_that_overflows, 0, 2 * KINDS);
	return suite_run(suite);
}
