/* SPDX-License-Identifier: MIT */
/*
 * test_rebuild.c - core/rebuild.c: the index that a rebuild makes of a block map.
 */
#include "box.h"

#include "core/rebuild.h"

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

START_TEST(rebuild_makes_what_a_call_leaves)
{
	uint32_t blocks[8];

	box_alloc_row(&box, (const size_t[]){3, 200, 1, 17, 70, 2, 0}, blocks);
	box_free(&box, blocks[0]);
	box_free(&box, blocks[3]);
	memset(&box.core.control->bits, 0xff, sizeof(uint64_t) * 2);
	box.core.map.words[1].used = 0;
	box.core.map.words[box.core.end / 64 - 1].used = ~UINT64_C(0);
	box.core.control->top = 1;
	box.core.control->victim = 77;
	box.core.control->used = 0;
	box.core.control->peak = 0;
	box.core.control->frees = 99;
	bh_rebuild(&box.core);
	box_expect_blocks(&box, -3, 200, 1, -17, 70, 2, -(SPAN - 293));
	ck_assert_uint_eq(box.core.control->peak, 273);
}
END_TEST

/*
 * What happened is not forgotten; what cannot be, more frees than allocations, or fewer of either,
 * is.
 */
START_TEST(rebuild_corrects_the_counters)
{
	struct bh_control *control = box.core.control;
	uint32_t blocks[8];

	box_alloc_row(&box, (const size_t[]){3, 200, 1, 17, 0}, blocks);
	box_free(&box, blocks[0]);
	control->allocations = 10;
	bh_rebuild(&box.core);
	ck_assert_uint_eq(control->allocations, 10);
	ck_assert_uint_eq(control->frees, 7);
	control->allocations = 2;
	control->peak = 300;
	bh_rebuild(&box.core);
	ck_assert_uint_eq(control->allocations, 3);
	ck_assert_uint_eq(control->frees, 0);
	ck_assert_uint_eq(control->used, 218);
	ck_assert_uint_eq(control->peak, 300);
}
END_TEST

START_TEST(rebuild_merges_free_neighbours)
{
	uint32_t blocks[4];

	box_alloc_row(&box, (const size_t[]){3, 4, 5, 100, 0}, blocks);
	bh_map_clear_used(&box.core.map, blocks[0]);
	bh_map_clear_used(&box.core.map, blocks[1]);
	bh_map_clear_used(&box.core.map, blocks[3]);
	bh_rebuild(&box.core);
	box_expect_blocks(&box, -7, 5, -(SPAN - 12));
}
END_TEST

/* Bits that belong to no tiling: used without a start. Allocated blocks are kept. */
START_TEST(rebuild_drops_what_is_no_tiling)
{
	uint32_t blocks[3];

	box_alloc_row(&box, (const size_t[]){3, 4, 5, 0}, blocks);
	box.core.map.words[0].used |= bh_map_bit(blocks[1] + 2);
	bh_rebuild(&box.core);
	box_expect_blocks(&box, 3, 4, 5, -(SPAN - 12));
}
END_TEST

START_TEST(rebuild_of_a_full_heap)
{
	box_alloc(&box, SPAN);
	bh_rebuild(&box.core);
	box_expect_blocks(&box, SPAN);
	ck_assert_uint_eq(box_alloc(&box, 1), 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("rebuild", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, rebuild_makes_what_a_call_leaves);
	tcase_add_test(tcase, rebuild_corrects_the_counters);
	tcase_add_test(tcase, rebuild_merges_free_neighbours);
	tcase_add_test(tcase, rebuild_drops_what_is_no_tiling);
	tcase_add_test(tcase, rebuild_of_a_full_heap);
	return suite_run(suite);
}
