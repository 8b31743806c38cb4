/* SPDX-License-Identifier: MIT */
/*
 * test_growth.c - the end of a heap moves up and down: the heap is sound after each move, every
 * live block is where it was, and what is behind the end is no one's.
 */
#include "support.h"

#include "core/growth.h"
#include "handle/handle.h"

#define SIZE ((size_t)1 << 20)
#define WORD ((uint32_t)64)

static bheap_t *heap;
static size_t words; /* of the whole map, and the zero one behind it */
static uint32_t whole;

static void setup(void)
{
	heap = bheap_create(SIZE, BHEAP_UNLOCKED);
	ck_assert_ptr_nonnull(heap);
	whole = heap->core.bins.span;
	words = bh_map_words(heap->core.end) + 1;
}

static void teardown(void)
{
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	heap_empty(heap);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

static void shorten(uint32_t span)
{
	bh_growth_shorten(&heap->core, span, words);
	require_equal(heap->core.bins.span, span);
	require(bheap_check(heap, NULL) == 0);
}

static void extend(uint32_t span)
{
	bh_growth_extend(&heap->core, span);
	require_equal(heap->core.bins.span, span);
	require(bheap_check(heap, NULL) == 0);
}

static size_t largest(void)
{
	struct bheap_stats stats;

	require(bheap_stats(heap, &stats) == 0);
	return stats.largest_free;
}

START_TEST(empty)
{
	for (uint32_t span = 1; span < whole - 2 * WORD; span += 1 + span / 5) {
		shorten(span);
		ck_assert_uint_eq(largest(), bh_bytes(span));
		extend(whole);
		ck_assert_uint_eq(largest(), SIZE);
	}
}
END_TEST

/* The last block is live: the sentinel becomes the top. */
START_TEST(full)
{
	const uint32_t span = whole / 2 + (uint32_t)_i;
	char *block, *next;

	shorten(span);
	block = bheap_alloc(heap, bh_bytes(span));
	ck_assert_ptr_nonnull(block);
	ck_assert_ptr_null(bheap_alloc(heap, 1));
	extend(span + WORD);
	next = bheap_alloc(heap, bh_bytes(WORD));
	ck_assert_ptr_eq(next, block + bh_bytes(span));
	ck_assert_ptr_null(bheap_alloc(heap, 1));
	ck_assert_uint_eq(bheap_usable_size(heap, block), bh_bytes(span));
	extend(whole);
}
END_TEST

/* The word of the new end holds a boundary tag of a block that was freed. */
START_TEST(onto_an_old_tag)
{
	char *block = bheap_alloc(heap, bh_bytes(10 * WORD));

	ck_assert_ptr_nonnull(block);
	ck_assert_int_eq(bheap_free(heap, block), 0);
	ck_assert_uint_ne(heap->core.map.words[9].used, 0);
	shorten(9 * WORD + (uint32_t)_i - BH_FIRST);
	extend(whole);
}
END_TEST

START_TEST(what_is_behind_is_no_block)
{
	char *first = bheap_alloc(heap, 1000), *block, *far;
	struct faults faults;

	ck_assert_ptr_nonnull(first);
	block = bheap_alloc(heap, SIZE / 2);
	far = bheap_alloc(heap, 100);
	ck_assert_int_eq(bheap_free(heap, far), 0);
	ck_assert_int_eq(bheap_free(heap, block), 0);
	shorten(100);
	faults_expect(&faults);
	ck_assert_int_eq(heap_free(heap, far), -1);
	ck_assert_int_eq(faults.count, 1);
	extend(whole);
	ck_assert_uint_eq(largest(), SIZE - 1008);
}
END_TEST

/* One of the blocks, which are NULL where there is none. */
static void block_turn(char **block, uint64_t seed)
{
	size_t size = (size_t)(seed % 7 ? seed % 900 : seed % 40000) + 1;

	if (*block) {
		require(pattern_holds(*block, bheap_usable_size(heap, *block), (uintptr_t)*block));
		require(bheap_free(heap, *block) == 0);
		*block = NULL;
		return;
	}
	*block = bheap_alloc(heap, size);
	if (*block)
		pattern_fill(*block, bheap_usable_size(heap, *block), (uintptr_t)*block);
}

static void end_turn(uint64_t seed)
{
	uint32_t top = heap->core.control->top - BH_FIRST, span = heap->core.bins.span;

	if (seed & 1 && top + 1 < span)
		shorten(top + 1 + (uint32_t)(seed >> 1) % (span - top - 1));
	else if (span + WORD <= whole)
		extend(span + WORD + (uint32_t)(seed >> 1) % (whole - span - WORD + 1));
}

START_TEST(among_random_blocks)
{
	char *blocks[64] = {NULL};
	uint64_t state = 1;

	for (unsigned step = 0; step < 20000; step++) {
		uint64_t seed = random_next(&state);

		block_turn(&blocks[seed % 64], seed >> 8);
		if (seed >> 40 & 15)
			continue;
		end_turn(seed >> 44);
	}
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("growth", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, empty);
	tcase_add_loop_test(tcase, full, 0, 130);
	tcase_add_loop_test(tcase, onto_an_old_tag, 0, 64);
	tcase_add_test(tcase, what_is_behind_is_no_block);
	tcase_add_test(tcase, among_random_blocks);
	return suite_run(suite);
}
