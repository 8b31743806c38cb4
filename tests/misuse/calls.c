/* SPDX-License-Identifier: MIT */
/*
 * calls.c - arguments at and beyond every limit, no heap at all, heaps of the wrong kind, and a
 * heap spent to the last granule. A row is a call: it fails with this errno, nothing is reported,
 * and the heap works on.
 */
#include "fixture.h"

#include <stdio.h>

/* Each tells whether the call returned what stands for failure. */
typedef bool call_fn(struct fixture *fixture);

#define CALL(name, expression)                                                                     \
	static bool name(struct fixture *fixture)                                                  \
	{                                                                                          \
		(void)fixture;                                                                     \
		return (expression);                                                               \
	}

/* Or the compiler warns of what it can foresee. */
static volatile size_t largest = SIZE_MAX, half = SIZE_MAX / 2 + 1, zero;
static volatile size_t four_gib = SIZE_2_TO(32), sixty_four_gib = SIZE_2_TO(36);
static char buffer[8192];

static bool is_unchanged(struct fixture *fixture, size_t size)
{
	struct live *live = &fixture->live[0];
	void *moved = bheap_realloc(fixture->heap, live->ptr, size);

	return !moved && pattern_holds(live->ptr, live->size, live->seed);
}

static int callback(const struct bheap_block *block, void *arg)
{
	(void)block;
	return *(int *)arg;
}

/* ---- sizes ---- */

CALL(alloc_of_all_bytes, !bheap_alloc(fixture->heap, largest))
CALL(alloc_of_all_but_15, !bheap_alloc(fixture->heap, largest - 15))
CALL(alloc_of_all_but_16, !bheap_alloc(fixture->heap, largest - 16))
CALL(alloc_of_a_negative_size, !bheap_alloc(fixture->heap, largest - 99))
CALL(alloc_of_half, !bheap_alloc(fixture->heap, half))
CALL(alloc_of_4_gib, !bheap_alloc(fixture->heap, four_gib))
CALL(alloc_of_64_gib, !bheap_alloc(fixture->heap, sixty_four_gib))
CALL(alloc_of_64_gib_and_a_granule, !bheap_alloc(fixture->heap, sixty_four_gib + 16))
CALL(alloc_of_more_than_the_heap, !bheap_alloc(fixture->heap, FIXTURE_SIZE + 1))
CALL(alloc_of_more_than_is_free, !bheap_alloc(fixture->heap, FIXTURE_SIZE - 16))
CALL(calloc_of_all_by_two, !bheap_calloc(fixture->heap, largest, 2))
CALL(calloc_of_two_by_all, !bheap_calloc(fixture->heap, 2, largest))
CALL(calloc_that_wraps_to_0, !bheap_calloc(fixture->heap, half, 2))
CALL(calloc_that_wraps_to_16, !bheap_calloc(fixture->heap, half / 8 + 1, 16))
CALL(calloc_of_all_by_one, !bheap_calloc(fixture->heap, largest, 1))
CALL(realloc_to_all_bytes, is_unchanged(fixture, largest))
CALL(realloc_to_all_but_15, is_unchanged(fixture, largest - 15))
CALL(realloc_to_half, is_unchanged(fixture, half))
CALL(realloc_to_more_than_the_heap, is_unchanged(fixture, FIXTURE_SIZE + 1))
CALL(realloc_of_null_to_all_bytes, !bheap_realloc(fixture->heap, NULL, largest))
CALL(reallocarray_of_all_by_two,
     !bheap_reallocarray(fixture->heap, fixture->live[0].ptr, largest, 2))
CALL(reallocarray_that_wraps_to_0,
     !bheap_reallocarray(fixture->heap, fixture->live[0].ptr, half, 2))
CALL(reallocarray_that_wraps_to_16,
     !bheap_reallocarray(fixture->heap, fixture->live[0].ptr, half / 8 + 1, 16))
CALL(reallocarray_of_null_that_wraps, !bheap_reallocarray(fixture->heap, NULL, half / 8 + 1, 16))
CALL(resize_to_all_bytes, bheap_resize(fixture->heap, fixture->live[0].ptr, largest) == -1)
CALL(resize_to_half, bheap_resize(fixture->heap, fixture->live[0].ptr, half) == -1)
CALL(resize_to_nothing, bheap_resize(fixture->heap, fixture->live[0].ptr, zero) == -1)
CALL(resize_of_null, bheap_resize(fixture->heap, NULL, 16) == -1)
CALL(aligned_realloc_to_all_bytes,
     !bheap_aligned_realloc(fixture->heap, fixture->live[0].ptr, 64, largest))
CALL(aligned_realloc_to_half, !bheap_aligned_realloc(fixture->heap, fixture->live[0].ptr, half, 16))
CALL(aligned_of_all_bytes, !bheap_aligned_alloc(fixture->heap, 64, largest))
CALL(aligned_of_all_but_15, !bheap_aligned_alloc(fixture->heap, 4096, largest - 15))
CALL(aligned_to_half, !bheap_aligned_alloc(fixture->heap, half, 16))
CALL(aligned_to_half_of_all_bytes, !bheap_aligned_alloc(fixture->heap, half, largest))
CALL(aligned_of_the_whole_heap, !bheap_aligned_alloc(fixture->heap, 8192, FIXTURE_SIZE))

/* ---- alignments ---- */

CALL(aligned_to_0, !bheap_aligned_alloc(fixture->heap, zero, 16))
CALL(aligned_to_3, !bheap_aligned_alloc(fixture->heap, zero + 3, 16))
CALL(aligned_to_24, !bheap_aligned_alloc(fixture->heap, zero + 24, 16))
CALL(aligned_to_4095, !bheap_aligned_alloc(fixture->heap, zero + 4095, 16))
CALL(aligned_to_all, !bheap_aligned_alloc(fixture->heap, largest, 16))

CALL(aligned_realloc_to_0, !bheap_aligned_realloc(fixture->heap, fixture->live[0].ptr, zero, 16))
CALL(aligned_realloc_to_24,
     !bheap_aligned_realloc(fixture->heap, fixture->live[0].ptr, zero + 24, 16))

/* ---- no heap ---- */

CALL(no_heap_alloc, !bheap_alloc(NULL, 16))
CALL(no_heap_calloc, !bheap_calloc(NULL, 1, 16))
CALL(no_heap_calloc_that_wraps, !bheap_calloc(NULL, largest, 16))
CALL(no_heap_realloc, !bheap_realloc(NULL, fixture->live[0].ptr, 16))
CALL(no_heap_realloc_of_null, !bheap_realloc(NULL, NULL, 16))
CALL(no_heap_reallocarray, !bheap_reallocarray(NULL, fixture->live[0].ptr, 1, 16))
CALL(no_heap_reallocarray_that_wraps, !bheap_reallocarray(NULL, NULL, largest, 16))
CALL(no_heap_strdup, !bheap_strdup(NULL, "text"))
CALL(no_heap_strndup, !bheap_strndup(NULL, "text", 2))
CALL(no_heap_resize, bheap_resize(NULL, fixture->live[0].ptr, 16) == -1)
CALL(no_heap_aligned_realloc, !bheap_aligned_realloc(NULL, fixture->live[0].ptr, 64, 16))
CALL(no_heap_aligned, !bheap_aligned_alloc(NULL, 64, 16))
CALL(no_heap_aligned_little, !bheap_aligned_alloc(NULL, 8, 16))
CALL(no_heap_free, heap_free(NULL, fixture->live[0].ptr) == -1)
CALL(no_heap_free_of_null, heap_free(NULL, NULL) == -1)
CALL(no_heap_usable_size, !bheap_usable_size(NULL, fixture->live[0].ptr))
CALL(no_heap_owns, !bheap_owns(NULL, fixture->live[0].ptr))
CALL(no_heap_stats, bheap_stats(NULL, &(struct bheap_stats){0}) == -1)
CALL(no_heap_used, !bheap_used(NULL))
CALL(no_heap_walk, bheap_walk(NULL, callback, &(int){0}) == -1)
CALL(no_heap_check, bheap_check(NULL, &(struct bheap_fault){0}) == -1)
CALL(no_heap_display, bheap_display(NULL, stdout) == -1)
CALL(no_heap_trim, !bheap_trim(NULL))
CALL(no_heap_reset, bheap_reset(NULL) == -1)
CALL(no_heap_destroy, bheap_destroy(NULL) == -1)
CALL(no_heap_close, bheap_close(NULL) == -1)
CALL(no_heap_sync, bheap_sync(NULL) == -1)
CALL(no_heap_reclaim, bheap_reclaim(NULL) == -1)
CALL(no_heap_set_limit, bheap_set_limit(NULL, 16) == -1)
CALL(no_heap_limit, !bheap_limit(NULL))
CALL(no_heap_set_refusal_handler, bheap_set_refusal_handler(NULL, NULL, NULL) == -1)
CALL(no_heap_set_root, bheap_set_root(NULL, NULL) == -1)
CALL(no_heap_root_alloc, !bheap_root_alloc(NULL, 16))
CALL(no_heap_alloc_into, !bheap_alloc_into(NULL, (uint64_t *)(void *)fixture->live[0].ptr, 16))
CALL(no_heap_free_from, bheap_free_from(NULL, (uint64_t *)(void *)fixture->live[0].ptr) == -1)

/* ---- no string ---- */

static const char *const volatile nothing;

CALL(strdup_of_nothing, !bheap_strdup(fixture->heap, nothing))
CALL(strndup_of_nothing, !bheap_strndup(fixture->heap, nothing, zero))

/* ---- no place for the answer ---- */

CALL(stats_to_nowhere, bheap_stats(fixture->heap, NULL) == -1)
CALL(walk_with_no_callback, bheap_walk(fixture->heap, NULL, NULL) == -1)
CALL(display_to_nowhere, bheap_display(fixture->heap, NULL) == -1)

/* ---- heaps that cannot be ---- */

CALL(create_of_nothing, !bheap_create(0, 0))
CALL(create_of_too_much, !bheap_create((size_t)BHEAP_SIZE_MAX + 1, 0))
CALL(create_of_all_bytes, !bheap_create(largest, 0))
CALL(create_with_unknown_flags, !bheap_create(4096, 1u << 30))
CALL(create_with_flags_of_shared_heaps, !bheap_create(4096, BHEAP_OWNED))
CALL(create_in_nothing, !bheap_create_in(NULL, 4096, 0))
CALL(create_in_too_little, !bheap_create_in(buffer, BHEAP_BUFFER_MIN - 1, 0))
CALL(create_in_0_bytes, !bheap_create_in(buffer, 0, 0))
CALL(create_in_too_much, !bheap_create_in(buffer, largest, 0))
CALL(create_in_with_unknown_flags, !bheap_create_in(buffer, sizeof(buffer), 1u << 31))
CALL(buffer_size_of_all_bytes, !bheap_buffer_size(largest, 0))
CALL(buffer_size_of_64_gib, !bheap_buffer_size(sixty_four_gib, 0))
CALL(buffer_size_with_unknown_flags, !bheap_buffer_size(16, 1u << 31))
CALL(init_of_nothing, init_heap(0) == -1)
CALL(init_of_all_bytes, init_heap(largest) == -1)
CALL(balloc_before_init, !balloc(16))
CALL(bfree_before_init, classic_free(fixture->live[0].ptr) == -1)

/* ---- heaps of another kind ---- */

CALL(close_of_a_private_heap, bheap_close(fixture->heap) == -1)
CALL(sync_of_a_private_heap, bheap_sync(fixture->heap) == -1)
CALL(balloc_of_nothing, !balloc(0))
CALL(init_twice, init_heap(4096) == -1)
CALL(init_twice_with_nothing, init_heap(0) == -1)
CALL(destroy_the_default_heap, bheap_destroy(bheap_default()) == -1)
CALL(close_the_default_heap, bheap_close(bheap_default()) == -1)

enum where { ANYWHERE, ELSEWHERE, CLASSIC }; /* ELSEWHERE: while there is no default heap */

static const struct {
	const char *name;
	call_fn *call;
	int error;
	enum where where;
} rows[] = {
#define ROW(name, ...)                                                                             \
	{                                                                                          \
#name, name, __VA_ARGS__                                                           \
	}
	ROW(alloc_of_all_bytes, ENOMEM, ANYWHERE),
	ROW(alloc_of_all_but_15, ENOMEM, ANYWHERE),
	ROW(alloc_of_all_but_16, ENOMEM, ANYWHERE),
	ROW(alloc_of_a_negative_size, ENOMEM, ANYWHERE),
	ROW(alloc_of_half, ENOMEM, ANYWHERE),
	ROW(alloc_of_4_gib, ENOMEM, ANYWHERE),
	ROW(alloc_of_64_gib, ENOMEM, ANYWHERE),
	ROW(alloc_of_64_gib_and_a_granule, ENOMEM, ANYWHERE),
	ROW(alloc_of_more_than_the_heap, ENOMEM, ANYWHERE),
	ROW(alloc_of_more_than_is_free, ENOMEM, ANYWHERE),
	ROW(calloc_of_all_by_two, ENOMEM, ANYWHERE),
	ROW(calloc_of_two_by_all, ENOMEM, ANYWHERE),
	ROW(calloc_that_wraps_to_0, ENOMEM, ANYWHERE),
	ROW(calloc_that_wraps_to_16, ENOMEM, ANYWHERE),
	ROW(calloc_of_all_by_one, ENOMEM, ANYWHERE),
	ROW(realloc_to_all_bytes, ENOMEM, ANYWHERE),
	ROW(realloc_to_all_but_15, ENOMEM, ANYWHERE),
	ROW(realloc_to_half, ENOMEM, ANYWHERE),
	ROW(realloc_to_more_than_the_heap, ENOMEM, ANYWHERE),
	ROW(realloc_of_null_to_all_bytes, ENOMEM, ANYWHERE),
	ROW(reallocarray_of_all_by_two, ENOMEM, ANYWHERE),
	ROW(reallocarray_that_wraps_to_0, ENOMEM, ANYWHERE),
	ROW(reallocarray_that_wraps_to_16, ENOMEM, ANYWHERE),
	ROW(reallocarray_of_null_that_wraps, ENOMEM, ANYWHERE),
	ROW(resize_to_all_bytes, ENOMEM, ANYWHERE),
	ROW(resize_to_half, ENOMEM, ANYWHERE),
	ROW(resize_to_nothing, EINVAL, ANYWHERE),
	ROW(resize_of_null, EINVAL, ANYWHERE),
	ROW(aligned_realloc_to_all_bytes, ENOMEM, ANYWHERE),
	ROW(aligned_realloc_to_half, ENOMEM, ANYWHERE),
	ROW(aligned_of_all_bytes, ENOMEM, ANYWHERE),
	ROW(aligned_of_all_but_15, ENOMEM, ANYWHERE),
	ROW(aligned_to_half, ENOMEM, ANYWHERE),
	ROW(aligned_to_half_of_all_bytes, ENOMEM, ANYWHERE),
	ROW(aligned_of_the_whole_heap, ENOMEM, ANYWHERE),
	ROW(aligned_to_0, EINVAL, ANYWHERE),
	ROW(aligned_to_3, EINVAL, ANYWHERE),
	ROW(aligned_to_24, EINVAL, ANYWHERE),
	ROW(aligned_to_4095, EINVAL, ANYWHERE),
	ROW(aligned_to_all, EINVAL, ANYWHERE),
	ROW(aligned_realloc_to_0, EINVAL, ANYWHERE),
	ROW(aligned_realloc_to_24, EINVAL, ANYWHERE),
	ROW(no_heap_alloc, EINVAL, ANYWHERE),
	ROW(no_heap_calloc, EINVAL, ANYWHERE),
	ROW(no_heap_calloc_that_wraps, EINVAL, ANYWHERE),
	ROW(no_heap_realloc, EINVAL, ANYWHERE),
	ROW(no_heap_realloc_of_null, EINVAL, ANYWHERE),
	ROW(no_heap_reallocarray, EINVAL, ANYWHERE),
	ROW(no_heap_reallocarray_that_wraps, EINVAL, ANYWHERE),
	ROW(no_heap_strdup, EINVAL, ANYWHERE),
	ROW(no_heap_strndup, EINVAL, ANYWHERE),
	ROW(no_heap_resize, EINVAL, ANYWHERE),
	ROW(no_heap_aligned_realloc, EINVAL, ANYWHERE),
	ROW(no_heap_aligned, EINVAL, ANYWHERE),
	ROW(no_heap_aligned_little, EINVAL, ANYWHERE),
	ROW(no_heap_free, EINVAL, ANYWHERE),
	ROW(no_heap_free_of_null, EINVAL, ANYWHERE),
	ROW(no_heap_usable_size, EINVAL, ANYWHERE),
	ROW(no_heap_owns, EINVAL, ANYWHERE),
	ROW(no_heap_stats, EINVAL, ANYWHERE),
	ROW(no_heap_used, EINVAL, ANYWHERE),
	ROW(no_heap_walk, EINVAL, ANYWHERE),
	ROW(no_heap_check, EINVAL, ANYWHERE),
	ROW(no_heap_display, EINVAL, ANYWHERE),
	ROW(no_heap_trim, EINVAL, ANYWHERE),
	ROW(no_heap_reset, EINVAL, ANYWHERE),
	ROW(no_heap_destroy, EINVAL, ANYWHERE),
	ROW(no_heap_close, EINVAL, ANYWHERE),
	ROW(no_heap_sync, EINVAL, ANYWHERE),
	ROW(no_heap_reclaim, EINVAL, ANYWHERE),
	ROW(no_heap_set_limit, EINVAL, ANYWHERE),
	ROW(no_heap_limit, EINVAL, ANYWHERE),
	ROW(no_heap_set_refusal_handler, EINVAL, ANYWHERE),
	ROW(no_heap_set_root, EINVAL, ANYWHERE),
	ROW(no_heap_root_alloc, EINVAL, ANYWHERE),
	ROW(no_heap_alloc_into, EINVAL, ANYWHERE),
	ROW(no_heap_free_from, EINVAL, ANYWHERE),
	ROW(strdup_of_nothing, EINVAL, ANYWHERE),
	ROW(strndup_of_nothing, EINVAL, ANYWHERE),
	ROW(stats_to_nowhere, EINVAL, ANYWHERE),
	ROW(walk_with_no_callback, EINVAL, ANYWHERE),
	ROW(display_to_nowhere, EINVAL, ANYWHERE),
	ROW(create_of_nothing, EINVAL, ANYWHERE),
	ROW(create_of_too_much, EINVAL, ANYWHERE),
	ROW(create_of_all_bytes, EINVAL, ANYWHERE),
	ROW(create_with_unknown_flags, EINVAL, ANYWHERE),
	ROW(create_with_flags_of_shared_heaps, EINVAL, ANYWHERE),
	ROW(create_in_nothing, EINVAL, ANYWHERE),
	ROW(create_in_too_little, EINVAL, ANYWHERE),
	ROW(create_in_0_bytes, EINVAL, ANYWHERE),
	ROW(create_in_too_much, EINVAL, ANYWHERE),
	ROW(create_in_with_unknown_flags, EINVAL, ANYWHERE),
	ROW(buffer_size_of_all_bytes, ENOMEM, ANYWHERE),
	ROW(buffer_size_of_64_gib, ENOMEM, ANYWHERE),
	ROW(buffer_size_with_unknown_flags, EINVAL, ANYWHERE),
	ROW(init_of_nothing, EINVAL, ELSEWHERE),
	ROW(init_of_all_bytes, EINVAL, ELSEWHERE),
	ROW(balloc_before_init, EINVAL, ELSEWHERE),
	ROW(bfree_before_init, EINVAL, ELSEWHERE),
	ROW(close_of_a_private_heap, EINVAL, ANYWHERE),
	ROW(sync_of_a_private_heap, EINVAL, ANYWHERE),
	ROW(balloc_of_nothing, EINVAL, CLASSIC),
	ROW(init_twice, EALREADY, CLASSIC),
	ROW(init_twice_with_nothing, EALREADY, CLASSIC),
	ROW(destroy_the_default_heap, EINVAL, CLASSIC),
	ROW(close_the_default_heap, EINVAL, CLASSIC),
};

#define ROWS ((int)(sizeof(rows) / sizeof(*rows)))

START_TEST(calls_fail)
{
	int row = _i % ROWS;
	int place = _i / ROWS;
	struct fixture fixture;

	if (rows[row].where != ANYWHERE && (rows[row].where == CLASSIC) != (place == PLACE_CLASSIC))
		return;
	printf("# %s, %s heap\n", rows[row].name, place_name(place));
	fflush(stdout);
	fixture_begin(&fixture, place);
	fixture_keep(&fixture, 100);
	errno = 0;
	ck_assert_msg(rows[row].call(&fixture), "%s succeeded", rows[row].name);
	ck_assert_errno(rows[row].error);
	ck_assert_uint_eq(fixture.faults.count, 0);
	fixture_work(&fixture);
	fixture_end(&fixture);
}
END_TEST

/* ---- to the last granule ---- */

START_TEST(exhaustion)
{
	static const size_t sizes[] = {1, 16, 17, 48, 1000, 5000, 0};
	static unsigned char *blocks[FIXTURE_SIZE / 16 + 1];
	size_t size = sizes[_i % 7], count = 0;
	struct bheap_stats stats;
	struct fixture fixture;

	fixture_begin(&fixture, _i / 7);
	bheap_stats(fixture.heap, &stats);
	while ((blocks[count] = bheap_alloc(fixture.heap, size)))
		pattern_fill(blocks[count], size, count), count++;
	ck_assert_errno(ENOMEM);
	ck_assert_uint_eq(count, stats.size / fixture_taken(&fixture, size));
	for (int again = 0; again < 3; again++)
		ck_assert_ptr_null(bheap_alloc(fixture.heap, size));
	bheap_stats(fixture.heap, &stats);
	ck_assert_uint_eq(stats.failures, 4);
	ck_assert_uint_lt(stats.free, fixture_taken(&fixture, size));
	for (size_t index = 0; index < count; index++)
		require(pattern_holds(blocks[index], size, index));
	ck_assert_int_eq(bheap_check(fixture.heap, NULL), 0);
	ck_assert_int_eq(fixture_free(&fixture, blocks[count / 2]), 0);
	ck_assert_ptr_eq(bheap_alloc(fixture.heap, size), blocks[count / 2]);
	heap_empty(fixture.heap);
	ck_assert_uint_eq(fixture.faults.count, 0);
	fixture_work(&fixture);
	fixture_end(&fixture);
}
END_TEST

/* One block of all that there is. */
START_TEST(exhaustion_at_once)
{
	struct bheap_stats stats;
	struct fixture fixture;
	unsigned char *block;
	size_t size;

	fixture_begin(&fixture, _i);
	bheap_stats(fixture.heap, &stats);
	size = stats.size - (fixture.guarded ? 16 : 0);
	ck_assert_ptr_null(bheap_alloc(fixture.heap, size + 1));
	block = bheap_alloc(fixture.heap, size);
	ck_assert_ptr_nonnull(block);
	pattern_fill(block, size, 1);
	ck_assert_ptr_null(bheap_alloc(fixture.heap, 1));
	ck_assert_ptr_null(bheap_realloc(fixture.heap, block, size + 1));
	ck_assert(pattern_holds(block, size, 1));
	ck_assert_int_eq(bheap_check(fixture.heap, NULL), 0);
	ck_assert_int_eq(fixture_free(&fixture, block), 0);
	ck_assert_uint_eq(fixture.faults.count, 0);
	fixture_work(&fixture);
	fixture_end(&fixture);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("calls", &tcase, 20);

	tcase_add_unchecked_fixture(tcase, fixture_rehearse, NULL);
	tcase_add_loop_test(tcase, calls_fail, 0, ROWS * PLACES);
	tcase_add_loop_test(tcase, exhaustion, 0, 7 * PLACES);
	tcase_add_loop_test(tcase, exhaustion_at_once, 0, PLACES);
	return suite_run(suite);
}
