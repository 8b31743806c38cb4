/* SPDX-License-Identifier: MIT */
/*
 * test_fast_path.c - the fast path of free where words of the map begin and end: each way in
 * which a block, and its neighbours, can lie across them, merged with none, either or both of
 * those. And which block the fast path of allocate takes.
 */
#include "support.h"

#include "handle/handle.h"

#define WORD 64 /* granules that a word of the map is for */

/*
 * In granules: within a word, a word less one, just that, one more, words that have no start at
 * all.
 */
static const size_t sizes[] = {1, 30, 63, 64, 65, 128, 200};
#define SIZES (sizeof(sizes) / sizeof(*sizes))

/* A pad moves the blocks after it through a word; the last keeps them from the top. */
enum actor { PAD, PREVIOUS, OWN, NEXT, LAST, ACTORS };

struct row {
	bheap_t *heap;
	size_t granules[ACTORS];
	char *block[ACTORS];
};

static void blocks_take(struct row *row)
{
	for (int index = 0; index < ACTORS; index++) {
		row->block[index] = bheap_alloc(row->heap, row->granules[index] * 16);
		require(row->block[index] != NULL);
		require(!index ||
			row->block[index] == row->block[index - 1] + row->granules[index - 1] * 16);
	}
}

static void is_right(const struct row *row, size_t used, size_t free_blocks)
{
	struct bheap_stats stats;

	require_equal(bheap_check(row->heap, NULL), 0);
	require_equal(bheap_stats(row->heap, &stats), 0);
	require_equal(stats.used, used * 16);
	require_equal(stats.free_blocks, free_blocks);
	require_equal(stats.faults, 0);
}

/* Frees the block after those of its neighbours; what they make serves one request of its size. */
static void block_merge(struct row *row, bool previous, bool next)
{
	size_t begin = previous ? PREVIOUS : OWN, granules = 0;
	size_t used = 0;

	blocks_take(row);
	for (size_t index = 0; index < ACTORS; index++)
		used += row->granules[index];
	for (size_t index = begin; index <= (next ? NEXT : OWN); index++)
		granules += row->granules[index];
	require(!previous || heap_free(row->heap, row->block[PREVIOUS]) == 0);
	require(!next || heap_free(row->heap, row->block[NEXT]) == 0);
	require_equal(heap_free(row->heap, row->block[OWN]), 0);
	is_right(row, used - granules, 2);
	require(bheap_alloc(row->heap, granules * 16) == row->block[begin]);
	is_right(row, used, 1);
	require_equal(heap_free(row->heap, row->block[begin]), 0);
	heap_empty(row->heap);
	is_right(row, 0, 1);
}

static void sizes_merge(struct row *row)
{
	for (size_t choice = 0; choice < SIZES * SIZES * SIZES; choice++) {
		row->granules[PREVIOUS] = sizes[choice % SIZES];
		row->granules[OWN] = sizes[choice / SIZES % SIZES];
		row->granules[NEXT] = sizes[choice / SIZES / SIZES];
		for (int freed = 0; freed < 4; freed++)
			block_merge(row, freed & 1, freed & 2);
	}
}

/* At each place of a word. */
START_TEST(frees_across_words)
{
	struct row row = {.heap = bheap_create(64 * 1024, BHEAP_UNLOCKED)};

	ck_assert_ptr_nonnull(row.heap);
	row.granules[PAD] = (size_t)_i + 1;
	row.granules[LAST] = 1;
	if (row.heap->skip_lock == BH_SKIP_LOCK_ALWAYS) /* no tool watches every call */
		sizes_merge(&row);
	ck_assert_int_eq(bheap_destroy(row.heap), 0);
}
END_TEST

/*
 * What is left of the heap is not cut while any smaller block has room, however much larger that
 * is.
 */
START_TEST(any_larger_block_comes_before_the_top)
{
	bheap_t *heap = bheap_create(1 << 20, BHEAP_UNLOCKED);

	ck_assert_ptr_nonnull(heap);
	for (size_t larger = 2; larger < WORD; larger++)
		for (size_t granules = 1; granules < larger; granules++) {
			void *hole = bheap_alloc(heap, larger * 16), *next = bheap_alloc(heap, 16);

			require_equal(heap_free(heap, hole), 0);
			require(bheap_alloc(heap, granules * 16) == hole);
			require_equal(heap_free(heap, hole), 0);
			require_equal(heap_free(heap, next), 0);
		}
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("fast_path", &tcase, 60);

	tcase_add_loop_test(tcase, frees_across_words, 0, WORD);
	tcase_add_test(tcase, any_larger_block_comes_before_the_top);
	return suite_run(suite);
}
