/* SPDX-License-Identifier: MIT */
/*
 * test_alloc.c - core/alloc.[ch] without locks and handles: which free block serves a request, how
 * it is split, and what a damaged free block ends in.
 */
#include "box.h"

#include "core/verify.h"
#include "core/alloc.h"

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

START_TEST(first_block_is_at_the_front)
{
	ck_assert_uint_eq(box_alloc(&box, 3), BH_FIRST);
	box_expect_blocks(&box, 3, -(SPAN - 3));
}
END_TEST

START_TEST(all_of_it_is_usable)
{
	uint32_t block = box_alloc(&box, SPAN);

	ck_assert_uint_eq(block, BH_FIRST);
	box_expect_blocks(&box, SPAN);
	ck_assert_uint_eq(box_alloc(&box, 1), 0);
	box_free(&box, block);
	box_expect_blocks(&box, -SPAN);
}
END_TEST

START_TEST(one_granule_blocks_to_the_last)
{
	for (int index = 0; index < SPAN; index++)
		require(bh_alloc_block(&box.core, 1));
	box_check(&box);
	ck_assert_uint_eq(bh_alloc_block(&box.core, 1), 0);
	ck_assert_uint_eq(box.core.bins.damaged, 0);
	ck_assert_uint_eq(box.core.control->used, SPAN);
}
END_TEST

START_TEST(too_much_is_refused)
{
	static const size_t sizes[] = {
		SPAN + 1, 0, UINT32_MAX, SIZE_2_TO(32) + 1, SIZE_MAX >> 4, SIZE_2_TO(60) + 1};

	ck_assert_uint_eq(bh_alloc_block(&box.core, sizes[_i] ? sizes[_i] : bh_granules(0)), 0);
	box_expect_blocks(&box, -SPAN);
}
END_TEST

START_TEST(exact_fit_comes_first)
{
	uint32_t blocks[6];

	box_alloc_row(&box, (const size_t[]){8, 1, 4, 1, 5, 1, 0}, blocks);
	box_free(&box, blocks[0]);
	box_free(&box, blocks[2]);
	box_free(&box, blocks[4]);
	ck_assert_uint_eq(box_alloc(&box, 4), blocks[2]);
	ck_assert_uint_eq(box_alloc(&box, 5), blocks[4]);
	ck_assert_uint_eq(box_alloc(&box, 8), blocks[0]);
}
END_TEST

START_TEST(smallest_that_fits_comes_next)
{
	uint32_t blocks[6];

	box_alloc_row(&box, (const size_t[]){20, 1, 10, 1, 15, 1, 0}, blocks);
	box_free(&box, blocks[0]);
	box_free(&box, blocks[2]);
	box_free(&box, blocks[4]);
	ck_assert_uint_eq(box_alloc(&box, 9), blocks[2]);
	box_expect_blocks(&box, -20, 1, 9, -1, 1, -15, 1, -(SPAN - 48));
}
END_TEST

START_TEST(splits_leave_the_rest_at_the_high_end)
{
	uint32_t blocks[2];

	box_alloc_row(&box, (const size_t[]){(size_t)_i, 1, 0}, blocks);
	box_free(&box, blocks[0]);
	ck_assert_uint_eq(box_alloc(&box, (size_t)_i / 2), blocks[0]);
	box_expect_blocks(&box, _i / 2, -(_i - _i / 2), 1, -(SPAN - _i - 1));
}
END_TEST

START_TEST(top_is_the_last_resort)
{
	uint32_t blocks[2];

	box_alloc_row(&box, (const size_t[]){100, 1, 0}, blocks);
	box_free(&box, blocks[0]);
	ck_assert_uint_eq(box_alloc(&box, 60), blocks[0]);
	ck_assert_uint_eq(box_alloc(&box, 40), blocks[0] + 60);
	ck_assert_uint_eq(box_alloc(&box, 1), blocks[1] + 1);
}
END_TEST

/* Of one class, that is, and one apart from it: what a request must search the whole class for. */
#define MISFIT 528
#define FIT 540

/*
 * More misfits than a request looks at before it goes on; the one that fits is the last of the
 * list.
 */
static uint32_t class_of_misfits(void)
{
	uint32_t blocks[20];

	teardown();
	box_make(&box, 12000, BH_BIN_SHIFT_MAX);
	ck_assert_uint_eq(bh_bin_of(&box.core.bins, FIT), bh_bin_of(&box.core.bins, MISFIT));
	for (int index = 0; index < 20; index++) {
		blocks[index] = box_alloc(&box, index ? MISFIT : FIT);
		box_alloc(&box, 1);
	}
	while (bh_alloc_block(&box.core, 1))
		;
	for (int index = 0; index < 20; index++)
		box_free(&box, blocks[index]);
	return blocks[0];
}

START_TEST(no_request_fails_while_a_block_is_large_enough)
{
	uint32_t fit = class_of_misfits();

	ck_assert_uint_eq(box_alloc(&box, FIT), fit);
	ck_assert_uint_eq(box_alloc(&box, FIT), 0);
}
END_TEST

START_TEST(realtime_never_searches_a_class)
{
	uint32_t fit = class_of_misfits();

	box.core.realtime = true;
	ck_assert_uint_eq(box_alloc(&box, FIT), 0);
	ck_assert_uint_ne(box_alloc(&box, MISFIT), 0);
	box.core.realtime = false;
	ck_assert_uint_eq(box_alloc(&box, FIT), fit);
}
END_TEST

START_TEST(the_last_bin_is_used)
{
	struct bh_verify_finding finding;
	uint32_t block;

	box_end(&box);
	box_make(&box, 4095, BH_BIN_SHIFT_MAX);
	block = box_alloc(&box, 4090);
	box_alloc(&box, 1);
	ck_assert_uint_eq(bh_bin_of(&box.core.bins, 4090), box.core.bins.count - 1);
	box_free(&box, block);
	ck_assert(bh_verify_derived(&box.core, &finding));
	ck_assert_uint_eq(box_alloc(&box, 4089), block);
}
END_TEST

/* ---- aligned ---- */

START_TEST(aligned_blocks)
{
	size_t alignment = (size_t)32 << _i, granules = 3;
	uint32_t block;

	box_alloc(&box, 1);
	block = bh_alloc_aligned(&box.core, alignment, granules);
	ck_assert_uint_ne(block, 0);
	ck_assert_uint_eq((uintptr_t)bh_core_address(&box.core, block) % alignment, 0);
	ck_assert_uint_eq(box_block_granules(&box, block), granules);
	box_check(&box);
	box_free(&box, block);
	box_expect_blocks(&box, 1, -(SPAN - 1));
}
END_TEST

/*
 * A block that is just large enough for any alignment is found in its bin, before the top is cut.
 */
START_TEST(aligned_from_the_smallest_that_fits)
{
	static const uint32_t sizes[] = {8, 128}; /* a bin of one size, the first size of another */
	uint32_t block = box_alloc(&box, sizes[_i]), aligned;

	box_alloc(&box, 1);
	box_free(&box, block);
	aligned = bh_alloc_aligned(&box.core, 64, sizes[_i] - 3);
	ck_assert_uint_ge(aligned, block);
	ck_assert_uint_le(aligned + sizes[_i] - 3, block + sizes[_i]);
	box_check(&box);
}
END_TEST

/* Of two that fit alike the victim is taken: it is in no bin. */
START_TEST(the_victim_before_a_block_as_large)
{
	uint32_t large = box_alloc(&box, 201), other, victim;

	box_alloc(&box, 1);
	other = box_alloc(&box, 200);
	box_alloc(&box, 1);
	box_free(&box, large);
	ck_assert_uint_eq(bh_alloc_block(&box.core, 1), large);
	victim = box.core.control->victim;
	ck_assert_uint_eq(box.core.control->victim_granules, 200);
	box_free(&box, other);
	ck_assert_uint_eq(bh_alloc_block(&box.core, 150), victim);
	box_check(&box);
}
END_TEST

START_TEST(aligned_beyond_all_is_refused)
{
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, SIZE_2_TO(50), 1), 0);
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, SIZE_MAX / 2 + 1, 1), 0);
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 64, SPAN + 1), 0);
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 64, SIZE_MAX >> 4), 0);
	box_expect_blocks(&box, -SPAN);
}
END_TEST

/*
 * Frees an aligned block exactly large enough amid used ones: only a search of the heap finds it.
 */
START_TEST(aligned_search_finds_the_only_place)
{
	uint32_t place;

	while (bh_alloc_aligned(&box.core, 512, 4))
		;
	while (box_alloc(&box, 1))
		;
	place = bh_map_next(&box.core.map, BH_FIRST + SPAN / 2);
	while ((uintptr_t)bh_core_address(&box.core, place) % 512)
		place = bh_map_next(&box.core.map, place);
	box_free(&box, place);
	box.core.realtime = true;
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 512, 4), 0);
	box.core.realtime = false;
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 512, 4), place);
	box_check(&box);
}
END_TEST

/* ---- damage ---- */

/* Long enough that their sizes are read from the blocks themselves, beside used ones. */
#define DAMAGED 200

static const unsigned char bytes[] = {0, 1, 0x41, 0xff};

START_TEST(damage_is_seen_by_allocate)
{
	uint32_t blocks[7], used;

	box_damage_row(&box, blocks, DAMAGED, bytes[_i]);
	used = box.core.control->used;
	for (int calls = 0; calls < 3 && bh_alloc_block(&box.core, DAMAGED); calls++)
		used += DAMAGED;
	box_rebuild_damaged(&box, used);
	while (bh_alloc_block(&box.core, DAMAGED))
		used += DAMAGED;
	ck_assert_uint_eq(bh_map_is_used(&box.core.map, blocks[3]), true);
	box_check(&box);
}
END_TEST

/* A request of the same class looks at the blocks before it takes one. */
START_TEST(damage_is_seen_by_a_search)
{
	uint32_t blocks[7], used;

	box_damage_row(&box, blocks, DAMAGED, bytes[_i]);
	used = box.core.control->used;
	ck_assert_uint_eq(bh_bin_of(&box.core.bins, DAMAGED),
			  bh_bin_of(&box.core.bins, DAMAGED + 1));
	ck_assert_uint_eq(bh_alloc_block(&box.core, DAMAGED + 1), 0);
	box_rebuild_damaged(&box, used);
	ck_assert_uint_eq(bh_alloc_block(&box.core, DAMAGED + 1), 0);
	ck_assert_uint_eq(box.core.bins.damaged, 0);
}
END_TEST

START_TEST(damage_is_seen_by_aligned_allocate)
{
	uint32_t blocks[7], used;

	box_damage_row(&box, blocks, DAMAGED, bytes[_i]);
	used = box.core.control->used;
	for (int calls = 0; calls < 3; calls++) {
		if (!bh_alloc_aligned(&box.core, 64, DAMAGED - 3))
			break;
		used += DAMAGED - 3;
	}
	box_rebuild_damaged(&box, used);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("alloc", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, first_block_is_at_the_front);
	tcase_add_test(tcase, all_of_it_is_usable);
	tcase_add_test(tcase, one_granule_blocks_to_the_last);
	tcase_add_loop_test(tcase, too_much_is_refused, 0, 6);
	tcase_add_test(tcase, exact_fit_comes_first);
	tcase_add_test(tcase, smallest_that_fits_comes_next);
	tcase_add_loop_test(tcase, splits_leave_the_rest_at_the_high_end, 2, 150);
	tcase_add_test(tcase, top_is_the_last_resort);
	tcase_add_test(tcase, no_request_fails_while_a_block_is_large_enough);
	tcase_add_test(tcase, realtime_never_searches_a_class);
	tcase_add_test(tcase, the_last_bin_is_used);
	tcase_add_loop_test(tcase, aligned_blocks, 0, 8);
	tcase_add_loop_test(tcase, aligned_from_the_smallest_that_fits, 0, 2);
	tcase_add_test(tcase, the_victim_before_a_block_as_large);
	tcase_add_test(tcase, aligned_beyond_all_is_refused);
	tcase_add_test(tcase, aligned_search_finds_the_only_place);
	tcase_add_loop_test(tcase, damage_is_seen_by_allocate, 0, 4);
	tcase_add_loop_test(tcase, damage_is_seen_by_a_search, 0, 4);
	tcase_add_loop_test(tcase, damage_is_seen_by_aligned_allocate, 0, 4);
	return suite_run(suite);
}
