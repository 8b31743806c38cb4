/* SPDX-License-Identifier: MIT */
/*
 * test_resize.c - bheap_resize() and bheap_aligned_realloc() as their pages have them, on heaps of
 * every kind.
 */
#include "places.h"

/* The pointer by which the bytes of a block that was resized may be used: bheap_resize(3). */
static char *known(char *block, size_t bytes)
{
	char *same = bheap_realloc(heap, block, bytes);

	ck_assert_ptr_eq(same, block);
	return same;
}

/* ---- bheap_resize() ---- */

START_TEST(resize_grows_and_shrinks_in_place)
{
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, 64);
	pattern_fill(block, 64, 1);
	ck_assert_int_eq(bheap_resize(heap, block, 64), 0);
	ck_assert_int_eq(bheap_resize(heap, block, 2000), 0);
	ck_assert(pattern_holds(block, 64, 1));
	ck_assert_uint_eq(stats_now().used, 2000 + trailer);
	ck_assert_uint_ge(bheap_usable_size(heap, block), 2000);
	block = known(block, 2000);
	pattern_fill(block, 2000, 2);
	ck_assert_int_eq(bheap_resize(heap, block, 500), 0);
	ck_assert(pattern_holds(block, 500, 2));
	ck_assert_uint_eq(stats_now().used, 512 + trailer);
	ck_assert_int_eq(bheap_resize(heap, block, 1), 0);
	ck_assert_uint_eq(stats_now().used, 16 + trailer);
	ck_assert_uint_eq(stats_now().allocations, 1);
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(resize_to_all_of_the_heap_and_no_more)
{
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, 100);
	ck_assert_int_eq(bheap_resize(heap, block, size - trailer + 1), -1);
	ck_assert_errno(ENOMEM);
	ck_assert_int_eq(bheap_resize(heap, block, size - trailer), 0);
	ck_assert_uint_eq(stats_now().free, 0);
	errno = 0;
	ck_assert_int_eq(bheap_resize(heap, block, size - trailer + 1), -1);
	ck_assert_errno(ENOMEM);
	errno = 0;
	ck_assert_int_eq(bheap_resize(heap, block, SIZE_MAX), -1);
	ck_assert_errno(ENOMEM);
	ck_assert_int_eq(bheap_resize(heap, block, 16), 0);
}
END_TEST

/* Neither by a copy nor by a slide over the free block before it, and it is no failure. */
START_TEST(resize_never_moves)
{
	struct bheap_stats before, after;
	char *front, *block;

	heap_make(_i);
	front = bheap_alloc(heap, 1000);
	block = bheap_alloc(heap, 100);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1));
	heap_free(heap, front);
	pattern_fill(block, 100, 1);
	before = stats_now();
	errno = 0;
	ck_assert_int_eq(bheap_resize(heap, block, 113), -1);
	ck_assert_errno(ENOMEM);
	errno = 0;
	ck_assert_int_eq(bheap_resize(heap, block, size), -1);
	ck_assert_errno(ENOMEM);
	ck_assert(pattern_holds(block, 100, 1));
	after = stats_now();
	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert_int_eq(bheap_resize(heap, block, 112), 0);
	ck_assert_int_eq(bheap_resize(heap, block, 90), 0);
}
END_TEST

/* The free block after it is too small by a granule, then large enough. */
START_TEST(resize_takes_what_is_free_after_it)
{
	char *block, *behind;

	heap_make(_i);
	block = bheap_alloc(heap, 160);
	behind = bheap_alloc(heap, 160);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1));
	heap_free(heap, behind);
	ck_assert_int_eq(bheap_resize(heap, block, 320 + trailer + 1), -1);
	ck_assert_errno(ENOMEM);
	ck_assert_int_eq(bheap_resize(heap, block, 320 + trailer), 0);
	ck_assert_int_eq(bheap_resize(heap, block, 160), 0);
	ck_assert_ptr_eq(bheap_alloc(heap, 160), behind);
}
END_TEST

START_TEST(resize_keeps_the_alignment)
{
	char *block;

	heap_make(_i);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1));
	block = bheap_aligned_alloc(heap, 512, 100);
	ck_assert_int_eq(bheap_resize(heap, block, 3000), 0);
	ck_assert_int_eq(bheap_resize(heap, block, 20), 0);
	ck_assert_uint_eq((uintptr_t)block % 512, 0);
	ck_assert(bheap_owns(heap, block));
}
END_TEST

static int resize_in_callback(const struct bheap_block *block, void *arg)
{
	if (!block->used)
		return 0;
	errno = 0;
	ck_assert_int_eq(bheap_resize(arg, (void *)(uintptr_t)block->address, 16), -1);
	ck_assert_errno(EDEADLK);
	errno = 0;
	ck_assert_ptr_null(bheap_aligned_realloc(arg, (void *)(uintptr_t)block->address, 64, 16));
	ck_assert_errno(EDEADLK);
	return 1;
}

static void resize_is_wrong(bheap_t *of, char *block, size_t bytes, unsigned reports)
{
	faults.count = 0;
	errno = 0;
	ck_assert_int_eq(bheap_resize(of, block, bytes), -1);
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, reports);
}

START_TEST(resize_of_what_is_none)
{
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, 100);
	resize_is_wrong(NULL, block, 16, 0);
	resize_is_wrong(heap, NULL, 16, 0);
	resize_is_wrong(heap, block, 0, 0);
	resize_is_wrong(heap, block + 16, 16, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_NOT_A_BLOCK);
	resize_is_wrong(heap, block + 1, 16, 1);
	resize_is_wrong(heap, (char *)&faults, 16, 1);
	ck_assert_int_eq(bheap_walk(heap, resize_in_callback, heap), 1);
	ck_assert_uint_eq(stats_now().used, 112 + trailer);
	heap_free(heap, block);
	resize_is_wrong(heap, block, 16, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DOUBLE_FREE);
}
END_TEST

START_TEST(a_reader_resizes_nothing)
{
	bheap_t *reader;
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, 100);
	reader = path_heap_read_only();
	block = bheap_pointer(reader, bheap_offset(heap, block));
	ck_assert_int_eq(bheap_resize(reader, block, 16), -1);
	ck_assert_errno(EROFS);
	errno = 0;
	ck_assert_ptr_null(bheap_aligned_realloc(reader, block, 64, 16));
	ck_assert_errno(EROFS);
	ck_assert_int_eq(bheap_close(reader), 0);
}
END_TEST

START_TEST(an_overflow_is_reported_at_resize)
{
	static const size_t sizes[] = {10, 100, 110, 2000};
	char *block;

	heap_make(2);
	block = bheap_alloc(heap, 100);
	pattern_fill(block, 100, 5);
	memory_change(block + 100, 'x');
	ck_assert_int_eq(bheap_resize(heap, block, sizes[_i]), 0);
	ck_assert(pattern_holds(block, sizes[_i] < 100 ? sizes[_i] : 100, 5));
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_OVERFLOW);
	ck_assert_ptr_eq(faults.last.address, block);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

static void handler_that_frees(const struct bheap_fault *fault, void *arg)
{
	(void)arg;
	heap_free((bheap_t *)(uintptr_t)fault->heap, fault->address);
}

START_TEST(a_block_freed_while_it_is_resized)
{
	char *block;

	heap_make(2);
	block = bheap_alloc(heap, 100);
	memory_change(block + 100, 'x');
	bheap_set_fault_handler(heap, handler_that_frees, NULL);
	ck_assert_int_eq(bheap_resize(heap, block, 200), -1);
	ck_assert_errno(EINVAL);
	ck_assert(!bheap_owns(heap, block));
}
END_TEST

/* ---- bheap_aligned_realloc() ---- */

static char *aligned(char *block, size_t alignment, size_t bytes)
{
	char *result = bheap_aligned_realloc(heap, block, alignment, bytes);

	ck_assert_ptr_nonnull(result);
	ck_assert_uint_eq((uintptr_t)result % alignment, 0);
	ck_assert_uint_ge(bheap_usable_size(heap, result), bytes);
	return result;
}

START_TEST(aligned_realloc_of_null_allocates)
{
	heap_make(_i);
	for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
		aligned(NULL, alignment, 100);
		aligned(NULL, alignment, 0);
	}
}
END_TEST

/* Where neighbours are live each size leads to another place. */
START_TEST(aligned_realloc_keeps_content_and_alignment)
{
	static const size_t sizes[] = {10, 200, 100, 1000, 1001, 3000, 30};
	char *block = NULL;
	size_t kept = 0;

	heap_make(_i);
	for (size_t alignment = 1; alignment <= 2048; alignment *= 2)
		for (size_t index = 0; index < 7; index++) {
			block = aligned(block, alignment, sizes[index]);
			kept = kept < sizes[index] ? kept : sizes[index];
			ck_assert(pattern_holds(block, kept, 7));
			pattern_fill(block, sizes[index], 7);
			kept = sizes[index];
			ck_assert_ptr_nonnull(bheap_alloc(heap, 1));
		}
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(aligned_realloc_in_place)
{
	char *block;

	heap_make(_i);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1));
	block = aligned(NULL, 256, 100);
	pattern_fill(block, 100, 3);
	ck_assert_ptr_eq(aligned(block, 256, 4000), block);
	ck_assert_ptr_eq(aligned(block, 16, 2000), block);
	ck_assert_ptr_eq(aligned(block, 256, 50), block);
	ck_assert(pattern_holds(block, 50, 3));
	ck_assert_ptr_eq(aligned(block, 256, 0), block);
	ck_assert_uint_eq(bheap_usable_size(heap, block), 16);
	ck_assert_uint_eq(stats_now().allocations, 2);
}
END_TEST

/* A block that is not aligned moves, whether it grows or shrinks. */
START_TEST(aligned_realloc_moves_what_is_not_aligned)
{
	static const size_t sizes[] = {0, 50, 100, 500};
	char *block;

	heap_make(_i);
	for (size_t index = 0; index < 4; index++) {
		char *moved;

		do {
			block = bheap_alloc(heap, 100);
		} while ((uintptr_t)block % 1024 == 0);
		pattern_fill(block, 100, index);
		moved = aligned(block, 1024, sizes[index]);
		ck_assert_ptr_ne(moved, block);
		ck_assert(!bheap_owns(heap, block));
		ck_assert(pattern_holds(moved, sizes[index] < 100 ? sizes[index] : 100, index));
	}
}
END_TEST

START_TEST(aligned_realloc_that_fails_changes_nothing)
{
	volatile size_t wanted = SIZE_MAX;
	struct bheap_stats before, after;
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, size / 2);
	pattern_fill(block, size / 2, 1);
	ck_assert_ptr_nonnull(bheap_alloc(heap, size / 4));
	before = stats_now();
	errno = 0;
	ck_assert_ptr_null(bheap_aligned_realloc(heap, block, 64, size));
	ck_assert_errno(ENOMEM);
	errno = 0;
	ck_assert_ptr_null(bheap_aligned_realloc(heap, block, 64, wanted));
	ck_assert_errno(ENOMEM);
	after = stats_now();
	ck_assert_uint_eq(after.failures, before.failures + 2);
	ck_assert_uint_gt(after.last_refused, 0);
	ck_assert_uint_eq(after.used_at_refusal, after.used);
	before.failures = after.failures;
	before.largest_refused = after.largest_refused;
	before.last_refused = after.last_refused;
	before.used_at_refusal = after.used_at_refusal;
	ck_assert_mem_eq(&before, &after, sizeof(before));
	ck_assert(pattern_holds(block, size / 2, 1));
}
END_TEST

START_TEST(aligned_realloc_of_what_is_none)
{
	static const size_t wrong[] = {0, 3, 24, 4095, SIZE_MAX};
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, 100);
	for (int index = 0; index < 10; index++) {
		volatile size_t alignment = wrong[index / 2];

		errno = 0;
		ck_assert_ptr_null(
			bheap_aligned_realloc(heap, index % 2 ? block : NULL, alignment, 16));
		ck_assert_errno(EINVAL);
	}
	errno = 0;
	ck_assert_ptr_null(bheap_aligned_realloc(NULL, block, 64, 16));
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, 0);
	for (size_t alignment = 8; alignment <= 64; alignment *= 8) {
		faults.count = 0;
		errno = 0;
		ck_assert_ptr_null(bheap_aligned_realloc(heap, block + 16, alignment, 16));
		ck_assert_errno(EINVAL);
		ck_assert_uint_eq(faults.count, 1);
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_NOT_A_BLOCK);
	}
	ck_assert(bheap_owns(heap, block));
}
END_TEST

/*
 * Room for it exists only together with the free block before it: a slide, in a private heap, if it
 * ends at an aligned address.
 */
START_TEST(aligned_realloc_slides_to_an_aligned_place_only)
{
	const bool shared = places[_i / 2].place == SHARED, starts_aligned = _i % 2;
	char *front, *block;

	heap_make(_i / 2);
	ck_assert_ptr_nonnull(
		bheap_aligned_alloc(heap, 256, (starts_aligned ? 256 : 128) - trailer));
	front = bheap_alloc(heap, 10304 - trailer);
	ck_assert_uint_eq((uintptr_t)front % 256, starts_aligned ? 0 : 128);
	block = bheap_alloc(heap, 20000);
	ck_assert_ptr_eq(block, front + 10304);
	pattern_fill(block, 20000, 6);
	while (bheap_alloc(heap, 16))
		continue;
	heap_free(heap, front);
	errno = 0;
	front = bheap_aligned_realloc(heap, block, 256, 22000);
	if (starts_aligned && !shared) {
		ck_assert_ptr_nonnull(front);
		ck_assert_uint_eq((uintptr_t)front % 256, 0);
		ck_assert(pattern_holds(front, 20000, 6));
	} else {
		ck_assert_ptr_null(front);
		ck_assert_errno(ENOMEM);
		ck_assert(pattern_holds(block, 20000, 6));
	}
}
END_TEST

START_TEST(an_overflow_is_reported_at_aligned_realloc)
{
	static const size_t sizes[] = {10, 100, 2000};
	char *block, *moved;

	heap_make(2);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1));
	block = bheap_alloc(heap, 100);
	pattern_fill(block, 100, 5);
	memory_change(block + 100, 'x');
	moved = aligned(block, 4096, sizes[_i]);
	ck_assert(pattern_holds(moved, sizes[_i] < 100 ? sizes[_i] : 100, 5));
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_OVERFLOW);
	ck_assert_ptr_eq(faults.last.address, block);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("resize", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, resize_grows_and_shrinks_in_place, 0, PLACES);
	tcase_add_loop_test(tcase, resize_to_all_of_the_heap_and_no_more, 0, PLACES);
	tcase_add_loop_test(tcase, resize_never_moves, 0, PLACES);
	tcase_add_loop_test(tcase, resize_takes_what_is_free_after_it, 0, PLACES);
	tcase_add_loop_test(tcase, resize_keeps_the_alignment, 0, PLACES);
	tcase_add_loop_test(tcase, resize_of_what_is_none, 0, PLACES);
	tcase_add_loop_test(tcase, a_reader_resizes_nothing, PLACES_SHARED, PLACES_SHARED_END);
	tcase_add_loop_test(tcase, an_overflow_is_reported_at_resize, 0, 4);
	tcase_add_test(tcase, a_block_freed_while_it_is_resized);
	tcase_add_loop_test(tcase, aligned_realloc_of_null_allocates, 0, PLACES);
	tcase_add_loop_test(tcase, aligned_realloc_keeps_content_and_alignment, 0, PLACES);
	tcase_add_loop_test(tcase, aligned_realloc_in_place, 0, PLACES);
	tcase_add_loop_test(tcase, aligned_realloc_moves_what_is_not_aligned, 0, PLACES);
	tcase_add_loop_test(tcase, aligned_realloc_that_fails_changes_nothing, 0, PLACES);
	tcase_add_loop_test(tcase, aligned_realloc_of_what_is_none, 0, PLACES);
	tcase_add_loop_test(tcase, aligned_realloc_slides_to_an_aligned_place_only, 0, 2 * PLACES);
	tcase_add_loop_test(tcase, an_overflow_is_reported_at_aligned_realloc, 0, 3);
	return suite_run(suite);
}
