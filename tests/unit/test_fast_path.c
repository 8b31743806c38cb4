/* SPDX-License-Identifier: MIT */
/*
 * test_fast_path.c - the straight path of free where words of the map begin and end: each way in
 * which a block, and the blocks beside it, can lie across them, merged with none, either or both of
 * those. And which block the straight path of allocate takes.
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

/* A pad moves the blocks behind it through a word; the last keeps them from the top. */
enum cast { PAD, FRONT, OWN, BEHIND, LAST, CAST };

struct scene {
	bheap_t *heap;
	size_t granules[CAST];
	char *block[CAST];
};

static void blocks_take(struct scene *scene)
{
	for (int index = 0; index < CAST; index++) {
		scene->block[index] = bheap_alloc(scene->heap, scene->granules[index] * 16);
		require(scene->block[index] != NULL);
		require(!index || scene->block[index] == scene->block[index - 1] +
								 scene->granules[index - 1] * 16);
	}
}

static void is_right(const struct scene *scene, size_t used, size_t free_blocks)
{
	struct bheap_stats stats;

	require_equal(bheap_check(scene->heap, NULL), 0);
	require_equal(bheap_stats(scene->heap, &stats), 0);
	require_equal(stats.used, used * 16);
	require_equal(stats.free_blocks, free_blocks);
	require_equal(stats.faults, 0);
}

/* Frees the block after those of its neighbours; what they make serves one request of its size. */
static void block_merge(struct scene *scene, bool front, bool behind)
{
	size_t begin = front ? FRONT : OWN, granules = 0;
	size_t used = 0;

	blocks_take(scene);
	for (size_t index = 0; index < CAST; index++)
		used += scene->granules[index];
	for (size_t index = begin; index <= (behind ? BEHIND : OWN); index++)
		granules += scene->granules[index];
	require(!front || heap_free(scene->heap, scene->block[FRONT]) == 0);
	require(!behind || heap_free(scene->heap, scene->block[BEHIND]) == 0);
	require_equal(heap_free(scene->heap, scene->block[OWN]), 0);
	is_right(scene, used - granules, 2);
	require(bheap_alloc(scene->heap, granules * 16) == scene->block[begin]);
	is_right(scene, used, 1);
	require_equal(heap_free(scene->heap, scene->block[begin]), 0);
	heap_empty(scene->heap);
	is_right(scene, 0, 1);
}

static void sizes_merge(struct scene *scene)
{
	for (size_t choice = 0; choice < SIZES * SIZES * SIZES; choice++) {
		scene->granules[FRONT] = sizes[choice % SIZES];
		scene->granules[OWN] = sizes[choice / SIZES % SIZES];
		scene->granules[BEHIND] = sizes[choice / SIZES / SIZES];
		for (int freed = 0; freed < 4; freed++)
			block_merge(scene, freed & 1, freed & 2);
	}
}

/* At each place of a word. */
START_TEST(frees_across_words)
{
	struct scene scene = {.heap = bheap_create(64 * 1024, BHEAP_UNLOCKED)};

	ck_assert_ptr_nonnull(scene.heap);
	scene.granules[PAD] = (size_t)_i + 1;
	scene.granules[LAST] = 1;
	if (scene.heap->skip_lock == BH_SKIP_LOCK_ALWAYS) /* no tool listens at the door */
		sizes_merge(&scene);
	ck_assert_int_eq(bheap_destroy(scene.heap), 0);
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
			void *hole = bheap_alloc(heap, larger * 16),
			     *behind = bheap_alloc(heap, 16);

			require_equal(heap_free(heap, hole), 0);
			require(bheap_alloc(heap, granules * 16) == hole);
			require_equal(heap_free(heap, hole), 0);
			require_equal(heap_free(heap, behind), 0);
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
