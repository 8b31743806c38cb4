/* SPDX-License-Identifier: MIT */
/*
 * test_reset.c - core/reset.c: one free block, whatever the map and the index were; the recovery
 * that does it again.
 */
#include "box.h"

#include "core/reset.h"
#include "core/verify.h"
#include "handle/recover.h"

#define SPAN 4000

static struct box box;

static void setup(void)
{
	box_make(&box, SPAN, BH_BIN_SHIFT_MAX);
}

static void teardown(void)
{
	box_end(&box);
}

static void map_is_of_one_block(void)
{
	struct bh_verify_finding finding;

	box_expect_blocks(&box, -SPAN);
	ck_assert(bh_verify_map(&box.core, &finding));
	for (uint32_t word = 1; word < box.core.end >> 6; word++)
		ck_assert_uint_eq(box.core.map.words[word].start, 0);
	ck_assert_uint_eq(box.core.control->root, 0);
}

/* Blocks that begin, end and lie at every bit of a word. */
START_TEST(every_place_of_a_word)
{
	for (size_t first = 1; first <= 130; first++) {
		uint32_t blocks[4];

		box_alloc_row(&box, (const size_t[]){first, 1, 200, 0}, blocks);
		box_free(&box, blocks[1]);
		bh_reset(&box.core);
		map_is_of_one_block();
	}
}
END_TEST

/* A top that is none is not relied on: no start is left behind it. */
START_TEST(the_top_is_not_believed)
{
	uint32_t blocks[6];
	const size_t sizes[] = {100, 100, 100, 100, 100, 0};

	for (int kind = 0; kind < 4; kind++) {
		box_alloc_row(&box, sizes, blocks);
		box_free(&box, blocks[1]);
		box.core.control->top =
			(const uint32_t[]){0, UINT32_MAX, blocks[0], blocks[1]}[kind];
		bh_reset(&box.core);
		map_is_of_one_block();
	}
}
END_TEST

/* Without a look at what lies in free blocks. */
START_TEST(free_blocks_are_not_read)
{
	uint32_t blocks[4];

	box_alloc_row(&box, (const size_t[]){3, 3, 3, 0}, blocks);
	box_free(&box, blocks[0]);
	box_free(&box, blocks[2]);
	box.core.bins.damaged = 1;
	memset(bh_core_start(&box.core), 0xee, (size_t)SPAN * BH_GRANULE);
	bh_reset(&box.core);
	map_is_of_one_block();
	ck_assert_uint_eq(box.core.bins.damaged, 0);
	ck_assert_uint_eq(box.core.control->rebuilds, 0);
}
END_TEST

/* A fork copied a private heap in the middle of it. */
START_TEST(recovery_does_it_again)
{
	bheap_t *heap = bheap_create(65536, 0);
	void *blocks[3];

	for (int number = 0; number < 3; number++)
		blocks[number] = bheap_alloc(heap, 1000);
	heap->core.control->root = BH_ROOT_RESET;
	bh_recover(heap);
	for (int number = 0; number < 3; number++)
		ck_assert(!bheap_owns(heap, blocks[number]));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_uint_eq(heap->core.control->root, 0);
	ck_assert_uint_eq(heap->core.control->frees, 3);
	bheap_destroy(heap);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("core/reset", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, every_place_of_a_word);
	tcase_add_test(tcase, the_top_is_not_believed);
	tcase_add_test(tcase, free_blocks_are_not_read);
	tcase_add_test(tcase, recovery_does_it_again);
	return suite_run(suite);
}
