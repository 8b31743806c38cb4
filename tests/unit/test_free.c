/* SPDX-License-Identifier: MIT */
/*
 * test_free.c - core/free.[ch] without locks and handles: free blocks merge with their free
 * neighbours, wherever words of the map begin, and damaged neighbours are reported.
 */
#include "box.h"

#include "core/alloc.h"
#include "core/free.h"

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

START_TEST(free_merges_on_both_sides)
{
	static const int expected[4][6] = {
		{3, -4, 5, -(SPAN - 12)},
		{-7, 5, -(SPAN - 12)},
		{3, -(SPAN - 3)},
		{-SPAN},
	};
	uint32_t blocks[3];

	box_alloc_row(&box, (const size_t[]){3, 4, 5, 0}, blocks);
	if (_i & 1)
		box_free(&box, blocks[0]);
	if (_i & 2)
		box_free(&box, blocks[2]);
	box_free(&box, blocks[1]);
	box_expect(&box, expected[_i]);
}
END_TEST

/* The same where the blocks are longer than the windows that the map is looked at through. */
START_TEST(free_merges_long_blocks)
{
	static const int expected[4][6] = {
		{300, -400, 500, 1, -(SPAN - 1201)},
		{-700, 500, 1, -(SPAN - 1201)},
		{300, -900, 1, -(SPAN - 1201)},
		{-1200, 1, -(SPAN - 1201)},
	};
	uint32_t blocks[4];

	box_alloc_row(&box, (const size_t[]){300, 400, 500, 1, 0}, blocks);
	if (_i & 1)
		box_free(&box, blocks[0]);
	if (_i & 2)
		box_free(&box, blocks[2]);
	box_free(&box, blocks[1]);
	box_expect(&box, expected[_i]);
}
END_TEST

/* ---- words of the map ---- */

#define LONG_SPAN (((size_t)1 << 24) + (1 << 19))

/*
 * Three blocks around a granule that a word of the map begins with, near the start or far from it:
 * the middle one ends there, starts there, or spans it. All the ways of freeing them, the same
 * result.
 */
static void boundary_try(uint32_t boundary, uint32_t before, uint32_t granules, unsigned order)
{
	static const unsigned char orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
						   {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	uint32_t first = BH_FIRST, blocks[3];

	blocks[0] = bh_alloc_block(&box.core, boundary - before - first);
	blocks[1] = bh_alloc_block(&box.core, granules);
	blocks[2] = bh_alloc_block(&box.core, box.core.end - boundary + before - granules);
	require_equal(blocks[0], first);
	require_equal(blocks[1], boundary - before);
	require_equal(blocks[2], boundary - before + granules);
	require_equal(bh_map_next(&box.core.map, blocks[0]), blocks[1]);
	require_equal(bh_map_next(&box.core.map, blocks[1]), blocks[2]);
	require_equal(bh_map_next(&box.core.map, blocks[2]), box.core.end);
	require_equal(bh_map_previous(&box.core.map, blocks[2]), blocks[1]);
	require_equal(bh_map_previous(&box.core.map, blocks[1]), blocks[0]);
	require_equal(bh_map_previous(&box.core.map, blocks[0]), first - 1);
	for (int index = 0; index < 3; index++)
		require_equal(bh_free_block(&box.core, blocks[orders[order][index]]), BH_DONE);
	require_equal(box.core.control->top, first);
	require_equal(bh_map_next(&box.core.map, first), box.core.end);
}

START_TEST(map_boundaries)
{
	static const uint32_t units[] = {64, 4096, 262144, 16777216};
	static const uint32_t sizes[] = {1, 2, 63, 64, 65, 130, 4096, 5000};
	uint32_t unit = units[_i], boundary;

	teardown();
	box_make(&box, LONG_SPAN, BH_BIN_SHIFT_MAX);
	boundary = (BH_FIRST + 5000 + unit - 1) / unit * unit;
	for (unsigned size = 0; size < sizeof(sizes) / sizeof(*sizes); size++)
		for (unsigned order = 0; order < 6; order++) {
			boundary_try(boundary, 0, sizes[size], order);
			boundary_try(boundary, sizes[size], sizes[size], order);
			boundary_try(boundary, (sizes[size] + 1) / 2, sizes[size], order);
			boundary_try(boundary, 1, sizes[size], order);
		}
	box_expect_blocks(&box, -(int)LONG_SPAN);
}
END_TEST

/* ---- damage ---- */

/* Long enough that their sizes are read from the blocks themselves, beside used ones. */
#define DAMAGED 200

static const unsigned char bytes[] = {0, 1, 0x41, 0xff};

START_TEST(damage_is_seen_by_free)
{
	uint32_t blocks[7], used;

	box_damage_row(&box, blocks, DAMAGED, bytes[_i / 2]);
	used = box.core.control->used;
	ck_assert_int_eq(bh_free_block(&box.core, blocks[_i % 2 ? 4 : 2]), BH_DAMAGED);
	box_rebuild_damaged(&box, used);
	box_free(&box, blocks[_i % 2 ? 4 : 2]);
	ck_assert_uint_eq(box.core.control->used, used - 5);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("free", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, free_merges_on_both_sides, 0, 4);
	tcase_add_loop_test(tcase, free_merges_long_blocks, 0, 4);
	tcase_add_loop_test(tcase, map_boundaries, 0, 4);
	tcase_add_loop_test(tcase, damage_is_seen_by_free, 0, 8);
	return suite_run(suite);
}
