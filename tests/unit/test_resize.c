/* SPDX-License-Identifier: MIT */
/*
 * test_resize.c - core/resize.c without locks and handles: blocks shrink, grow and slide, and
 * damage in the free blocks around them is reported before anything moves.
 */
#include "box.h"

#include "core/alloc.h"
#include "core/resize.h"

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

static enum bh_core_status resize(uint32_t block, size_t granules)
{
	enum bh_core_status status = bh_resize_in_place(&box.core, block, granules);

	box_check(&box);
	return status;
}

START_TEST(shrink_gives_the_rest_back)
{
	uint32_t blocks[3];

	box_alloc_row(&box, (const size_t[]){10, 20, 1, 0}, blocks);
	ck_assert_int_eq(resize(blocks[0], 4), BH_DONE);
	box_expect_blocks(&box, 4, -6, 20, 1, -(SPAN - 31));
	box_free(&box, blocks[1]);
	ck_assert_int_eq(resize(blocks[0], 1), BH_DONE);
	box_expect_blocks(&box, 1, -29, 1, -(SPAN - 31));
	ck_assert_int_eq(resize(blocks[2], 1), BH_DONE);
}
END_TEST

START_TEST(grow_takes_from_the_next)
{
	size_t unit = (size_t)_i;
	uint32_t blocks[3];

	box_alloc_row(&box, (const size_t[]){unit, 2 * unit, 1, 0}, blocks);
	ck_assert_int_eq(resize(blocks[0], unit + 1), BH_NO_ROOM);
	box_free(&box, blocks[1]);
	ck_assert_int_eq(resize(blocks[0], unit + 1), BH_DONE);
	box_expect_blocks(&box, _i + 1, -(2 * _i - 1), 1, -(SPAN - 3 * _i - 1));
	ck_assert_int_eq(resize(blocks[0], 3 * unit + 1), BH_NO_ROOM);
	ck_assert_int_eq(resize(blocks[0], 3 * unit), BH_DONE);
	box_expect_blocks(&box, 3 * _i, 1, -(SPAN - 3 * _i - 1));
}
END_TEST

START_TEST(grow_takes_from_the_top)
{
	uint32_t block = box_alloc(&box, 5);

	ck_assert_int_eq(resize(block, SPAN + 1), BH_NO_ROOM);
	ck_assert_int_eq(resize(block, SIZE_2_TO(40)), BH_NO_ROOM);
	ck_assert_int_eq(resize(block, 100), BH_DONE);
	ck_assert_int_eq(resize(block, SPAN), BH_DONE);
	box_expect_blocks(&box, SPAN);
	ck_assert_uint_eq(box.core.control->peak, SPAN);
	ck_assert_int_eq(resize(block, 1), BH_DONE);
	box_expect_blocks(&box, 1, -(SPAN - 1));
}
END_TEST

/* ---- slide ---- */

START_TEST(slide_moves_the_content_down)
{
	uint32_t blocks[4], block;
	const size_t kept = 20 * BH_GRANULE;

	box_alloc_row(&box, (const size_t[]){10, 20, 30, 1, 0}, blocks);
	box_free(&box, blocks[0]);
	if (_i)
		box_free(&box, blocks[2]);
	block = blocks[1];
	pattern_fill(bh_core_address(&box.core, block), kept, 7);
	ck_assert_int_eq(bh_resize_slide(&box.core, &block, 61, kept), BH_NO_ROOM);
	ck_assert_uint_eq(block, blocks[1]);
	ck_assert_int_eq(bh_resize_slide(&box.core, &block, _i ? 59 : 30, kept), BH_DONE);
	ck_assert_uint_eq(block, blocks[0]);
	ck_assert(pattern_holds(bh_core_address(&box.core, block), kept, 7));
	if (_i)
		box_expect_blocks(&box, 59, -1, 1, -(SPAN - 61));
	else
		box_expect_blocks(&box, 30, 30, 1, -(SPAN - 61));
}
END_TEST

START_TEST(slide_needs_a_free_block_in_front)
{
	uint32_t blocks[2], first;

	box_alloc_row(&box, (const size_t[]){10, 20, 0}, blocks);
	first = blocks[0];
	ck_assert_int_eq(bh_resize_slide(&box.core, &first, 11, 16), BH_NO_ROOM);
	ck_assert_int_eq(bh_resize_slide(&box.core, &blocks[1], 21, 16), BH_NO_ROOM);
	box_expect_blocks(&box, 10, 20, -(SPAN - 30));
}
END_TEST

/* ---- damage ---- */

/* Long enough that their sizes are read from the blocks themselves, beside used ones. */
#define DAMAGED 200

static const unsigned char bytes[] = {0, 1, 0x41, 0xff};

START_TEST(damage_is_seen_by_resize)
{
	uint32_t blocks[7], used;

	box_damage_row(&box, blocks, DAMAGED, bytes[_i / 2]);
	used = box.core.control->used;
	ck_assert_int_eq(bh_resize_in_place(&box.core, blocks[2], _i % 2 ? 6 : 4), BH_DAMAGED);
	box_rebuild_damaged(&box, used);
	ck_assert_int_eq(resize(blocks[2], _i % 2 ? 6 : 4), BH_DONE);
}
END_TEST

START_TEST(damage_is_seen_by_slide)
{
	uint32_t blocks[7], used, block;

	box_damage_row(&box, blocks, DAMAGED, bytes[_i]);
	used = box.core.control->used;
	block = blocks[4];
	ck_assert_int_eq(bh_resize_slide(&box.core, &block, 6 + DAMAGED, 16), BH_DAMAGED);
	ck_assert_uint_eq(block, blocks[4]);
	box_rebuild_damaged(&box, used);
	ck_assert_int_eq(bh_resize_slide(&box.core, &block, 5 + DAMAGED, 16), BH_DONE);
	ck_assert_uint_eq(block, blocks[3]);
	box_check(&box);
}
END_TEST

/* Seen before anything moves: the caller still has his block where it was. */
START_TEST(damage_behind_is_seen_by_slide)
{
	uint32_t previous, block, moved, next, used;

	box_alloc(&box, 1);
	previous = box_alloc(&box, 7);
	block = moved = box_alloc(&box, 5);
	next = box_alloc(&box, DAMAGED);
	box_alloc(&box, 1);
	while (bh_alloc_block(&box.core, 6))
		;
	box_free(&box, previous);
	box_free(&box, next);
	memset(bh_core_address(&box.core, next), bytes[_i], BH_GRANULE);
	used = box.core.control->used;
	ck_assert_int_eq(bh_resize_slide(&box.core, &moved, 13 + DAMAGED, 16), BH_NO_ROOM);
	ck_assert_int_eq(bh_resize_slide(&box.core, &moved, 10 + DAMAGED, 16), BH_DAMAGED);
	ck_assert_uint_eq(moved, block);
	ck_assert(bh_map_is_used(&box.core.map, block));
	box_rebuild_damaged(&box, used);
	ck_assert_int_eq(bh_resize_slide(&box.core, &moved, 10 + DAMAGED, 16), BH_DONE);
	ck_assert_uint_eq(moved, previous);
	box_check(&box);
}
END_TEST

START_TEST(damage_in_front_is_seen_by_slide)
{
	uint32_t previous, block, used;

	box_alloc(&box, 1);
	previous = box_alloc(&box, DAMAGED);
	block = box_alloc(&box, 5);
	box_alloc(&box, 1);
	box_free(&box, previous);
	memset(bh_core_address(&box.core, previous), bytes[_i], BH_GRANULE);
	used = box.core.control->used;
	ck_assert_int_eq(bh_resize_slide(&box.core, &block, 6, 16), BH_DAMAGED);
	ck_assert_uint_eq(block, previous + DAMAGED);
	box_rebuild_damaged(&box, used);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("resize", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, shrink_gives_the_rest_back);
	tcase_add_loop_test(tcase, grow_takes_from_the_next, 1, 100);
	tcase_add_test(tcase, grow_takes_from_the_top);
	tcase_add_loop_test(tcase, slide_moves_the_content_down, 0, 2);
	tcase_add_test(tcase, slide_needs_a_free_block_in_front);
	tcase_add_loop_test(tcase, damage_is_seen_by_resize, 0, 8);
	tcase_add_loop_test(tcase, damage_is_seen_by_slide, 0, 4);
	tcase_add_loop_test(tcase, damage_behind_is_seen_by_slide, 1, 4);
	tcase_add_loop_test(tcase, damage_in_front_is_seen_by_slide, 1, 4);
	return suite_run(suite);
}
