/* SPDX-License-Identifier: MIT */
/*
 * test_alloc.c - core/alloc.[ch] without locks and handles: which free block serves a request, how
 * it is split, and what a damaged free block ends in.
 */
#include "box.h"

#include "core/alloc.h"
#include "core/rebuild.h"
#include "core/verify.h"

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

#define CLASS_BLOCKS 20

/* More misfits than a request looks at before it goes on; these are the last of the list. */
static void class_of_misfits(const size_t *last, uint32_t blocks[CLASS_BLOCKS])
{
	teardown();
	box_make(&box, 12000, BH_BIN_SHIFT_MAX);
	for (int index = 0; index < CLASS_BLOCKS; index++) {
		size_t granules = *last ? *last++ : MISFIT;

		ck_assert_uint_eq(bh_bin_of(&box.core.bins, (uint32_t)granules),
				  bh_bin_of(&box.core.bins, FIT));
		blocks[index] = box_alloc(&box, granules);
		box_alloc(&box, 1);
	}
	while (bh_alloc_block(&box.core, 1))
		;
	for (int index = 0; index < CLASS_BLOCKS; index++)
		box_free(&box, blocks[index]);
}

START_TEST(no_request_fails_while_a_block_is_large_enough)
{
	uint32_t blocks[CLASS_BLOCKS];

	class_of_misfits((const size_t[]){FIT, 0}, blocks);
	ck_assert_uint_eq(box_alloc(&box, FIT), blocks[0]);
	ck_assert_uint_eq(box_alloc(&box, FIT), 0);
}
END_TEST

/* Of all that a search finds the smallest, wherever it is in the list. */
START_TEST(a_search_finds_the_smallest)
{
	uint32_t blocks[CLASS_BLOCKS];

	class_of_misfits((const size_t[]){MISFIT, FIT, FIT + 3, FIT + 1, 0}, blocks);
	ck_assert_uint_eq(box_alloc(&box, FIT), blocks[1]);
	ck_assert_uint_eq(box_alloc(&box, FIT), blocks[3]);
	ck_assert_uint_eq(box_alloc(&box, FIT), blocks[2]);
	ck_assert_uint_eq(box_alloc(&box, FIT), 0);
	ck_assert_uint_eq(box.core.bins.damaged, 0);
}
END_TEST

/* No block is taken from a list in which a search met one that was written to. */
START_TEST(a_search_sees_damage)
{
	uint32_t blocks[CLASS_BLOCKS];

	class_of_misfits((const size_t[]){MISFIT, MISFIT, FIT + 1, 0}, blocks);
	bh_bin_node(&box.core.bins, blocks[1])->check = 0;
	ck_assert_uint_eq(bh_alloc_block(&box.core, FIT), 0);
	ck_assert_uint_eq(box.core.bins.damaged, blocks[1]);
	bh_rebuild(&box.core);
	ck_assert_uint_eq(box_alloc(&box, FIT), blocks[2]);
}
END_TEST

START_TEST(realtime_never_searches_a_class)
{
	uint32_t blocks[CLASS_BLOCKS];

	class_of_misfits((const size_t[]){FIT, 0}, blocks);
	box.core.realtime = true;
	ck_assert_uint_eq(box_alloc(&box, FIT), 0);
	ck_assert_uint_ne(box_alloc(&box, MISFIT), 0);
	box.core.realtime = false;
	ck_assert_uint_eq(box_alloc(&box, FIT), blocks[0]);
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
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 512, 3), 0);
	box.core.realtime = false;
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 512, 3), place);
	box_check(&box);
}
END_TEST

/* ---- by the map alone ---- */

/* Uses up granules until the top is not aligned; those that are left over then. */
static int top_misalign(size_t alignment)
{
	int skip = 0;

	while (!skip) {
		uintptr_t next = (uintptr_t)bh_core_address(&box.core, box_alloc(&box, 1) + 1);

		skip = (int)((-next & (alignment - 1)) / BH_GRANULE);
	}
	return skip;
}

/* What is left of a free block before and after an aligned one is free. */
START_TEST(by_map_amid_a_free_block)
{
	int skip = top_misalign(512), before;
	uint32_t top = box.core.control->top, block;

	before = (int)(top - BH_FIRST);
	ck_assert_int_le(before, 2);
	/* It needs no index, and makes a new one. */
	box.core.control->top = box.core.control->victim = 5;
	block = bh_alloc_by_map(&box.core, 512, 4);
	ck_assert_uint_eq(block, top + (uint32_t)skip);
	ck_assert_uint_eq((uintptr_t)bh_core_address(&box.core, block) % 512, 0);
	ck_assert_uint_eq(box.core.control->used, (uint32_t)before + 4);
	if (before == 1)
		box_expect_blocks(&box, 1, -skip, 4, -(SPAN - 5 - skip));
	else
		box_expect_blocks(&box, 1, 1, -skip, 4, -(SPAN - 6 - skip));
}
END_TEST

START_TEST(by_map_all_of_a_free_block)
{
	uint32_t blocks[3];

	box_alloc_row(&box, (const size_t[]){3, 7, SPAN - 10, 0}, blocks);
	box_free(&box, blocks[1]);
	ck_assert_uint_eq(bh_alloc_by_map(&box.core, BH_GRANULE, 8), 0);
	ck_assert_uint_eq(box.core.control->rebuilds, 0);
	ck_assert_uint_eq(bh_alloc_by_map(&box.core, BH_GRANULE, 7), blocks[1]);
	box_expect_blocks(&box, 3, 7, SPAN - 10);
	ck_assert_uint_eq(bh_alloc_by_map(&box.core, BH_GRANULE, 1), 0);
}
END_TEST

START_TEST(by_map_too_much_is_refused)
{
	ck_assert_uint_eq(bh_alloc_by_map(&box.core, BH_GRANULE, SPAN + 1), 0);
	ck_assert_uint_eq(bh_alloc_by_map(&box.core, BH_GRANULE, SIZE_2_TO(32) + 1), 0);
	ck_assert_uint_eq(bh_alloc_by_map(&box.core, SIZE_2_TO(50), 1), 0);
	box_expect_blocks(&box, -SPAN);
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

/* The size of the first block is the one that is asked for, and is not true. */
START_TEST(damage_is_seen_of_an_exact_size)
{
	uint32_t block = box_alloc(&box, DAMAGED), used;

	box_alloc(&box, 1);
	box_free(&box, block);
	used = box.core.control->used;
	bh_bin_node(&box.core.bins, block)->check = DAMAGED;
	ck_assert_uint_eq(bh_alloc_block(&box.core, DAMAGED), 0);
	ck_assert_uint_eq(box.core.bins.damaged, block);
	box_rebuild_damaged(&box, used);
	ck_assert_uint_eq(box_alloc(&box, DAMAGED), block);
}
END_TEST

/* Until the index is rebuilt nothing that an aligned request found is taken. */
START_TEST(damage_met_before_refuses_an_aligned_request)
{
	uint32_t blocks[2];

	box_alloc_row(&box, (const size_t[]){7, 1, 0}, blocks);
	box_free(&box, blocks[0]);
	box.core.bins.damaged = blocks[0];
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 64, 4), 0);
	box_expect_blocks(&box, -7, 1, -(SPAN - 8));
	bh_rebuild(&box.core);
	ck_assert_uint_lt(bh_alloc_aligned(&box.core, 64, 4), blocks[1]);
	box_check(&box);
}
END_TEST

static bool no_storage(struct bh_core *core, uint32_t from, uint32_t to)
{
	(void)core;
	return from >= to;
}

/* A file on a full disk. */
START_TEST(blocks_without_storage)
{
	box.core.prepare = no_storage;
	ck_assert_uint_eq(bh_alloc_block(&box.core, 10), 0);
	ck_assert_uint_eq(bh_alloc_block(&box.core, 1000), 0);
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 64, 10), 0);
	ck_assert_uint_eq(bh_alloc_by_map(&box.core, BH_GRANULE, 10), 0);
	box.core.prepare = NULL;
	ck_assert_uint_ne(bh_alloc_by_map(&box.core, BH_GRANULE, 10), 0);
	box_check(&box);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("alloc", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, blocks_without_storage);
	tcase_add_test(tcase, first_block_is_at_the_front);
	tcase_add_test(tcase, all_of_it_is_usable);
	tcase_add_test(tcase, one_granule_blocks_to_the_last);
	tcase_add_loop_test(tcase, too_much_is_refused, 0, 6);
	tcase_add_test(tcase, exact_fit_comes_first);
	tcase_add_test(tcase, smallest_that_fits_comes_next);
	tcase_add_loop_test(tcase, splits_leave_the_rest_at_the_high_end, 2, 150);
	tcase_add_test(tcase, top_is_the_last_resort);
	tcase_add_test(tcase, no_request_fails_while_a_block_is_large_enough);
	tcase_add_test(tcase, a_search_finds_the_smallest);
	tcase_add_test(tcase, a_search_sees_damage);
	tcase_add_test(tcase, realtime_never_searches_a_class);
	tcase_add_test(tcase, the_last_bin_is_used);
	tcase_add_loop_test(tcase, aligned_blocks, 0, 8);
	tcase_add_loop_test(tcase, aligned_from_the_smallest_that_fits, 0, 2);
	tcase_add_test(tcase, the_victim_before_a_block_as_large);
	tcase_add_test(tcase, aligned_beyond_all_is_refused);
	tcase_add_test(tcase, aligned_search_finds_the_only_place);
	tcase_add_test(tcase, by_map_amid_a_free_block);
	tcase_add_test(tcase, by_map_all_of_a_free_block);
	tcase_add_test(tcase, by_map_too_much_is_refused);
	tcase_add_loop_test(tcase, damage_is_seen_by_allocate, 0, 4);
	tcase_add_loop_test(tcase, damage_is_seen_by_a_search, 0, 4);
	tcase_add_loop_test(tcase, damage_is_seen_by_aligned_allocate, 0, 4);
	tcase_add_test(tcase, damage_is_seen_of_an_exact_size);
	tcase_add_test(tcase, damage_met_before_refuses_an_aligned_request);
	return suite_run(suite);
}
