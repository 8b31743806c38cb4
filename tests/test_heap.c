/* SPDX-License-Identifier: MIT */
/*
 * test_heap.c - heap.c, resize.c and rebuild.c without locks and handles: which block is taken, how
 * it is split and merged, what damage does, and what a rebuild makes of a map.
 */
#include "box.h"

#include "core/verify.h"
#include "core/alloc.h"
#include "core/free.h"
#include "core/resize.h"
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

static uint32_t take(size_t granules)
{
	uint32_t block = bh_alloc_block(&box.core, granules);

	if (block) {
		require(bh_map_is_used(&box.core.map, block));
		require_equal(box_block_granules(&box, block), granules);
	}
	box_check(&box);
	return block;
}

static void give(uint32_t block)
{
	require_equal(bh_free_block(&box.core, block), BH_DONE);
	box_check(&box);
}

/* Takes blocks of these sizes, in order from the front; a 0 ends them. */
static void take_row(const size_t *sizes, uint32_t *blocks)
{
	for (; *sizes; sizes++)
		*blocks++ = take(*sizes);
}

/* ---- allocate ---- */

START_TEST(new_heap_is_one_block)
{
	box_expect_blocks(&box, -SPAN);
	ck_assert_uint_eq(bh_core_size(&box.core), SPAN * BH_GRANULE);
	ck_assert_uint_eq(box.core.control->top, BH_FIRST);
}
END_TEST

START_TEST(first_block_is_at_the_front)
{
	ck_assert_uint_eq(take(3), BH_FIRST);
	box_expect_blocks(&box, 3, -(SPAN - 3));
}
END_TEST

START_TEST(all_of_it_is_usable)
{
	uint32_t block = take(SPAN);

	ck_assert_uint_eq(block, BH_FIRST);
	box_expect_blocks(&box, SPAN);
	ck_assert_uint_eq(take(1), 0);
	give(block);
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

	take_row((const size_t[]){8, 1, 4, 1, 5, 1, 0}, blocks);
	give(blocks[0]);
	give(blocks[2]);
	give(blocks[4]);
	ck_assert_uint_eq(take(4), blocks[2]);
	ck_assert_uint_eq(take(5), blocks[4]);
	ck_assert_uint_eq(take(8), blocks[0]);
}
END_TEST

START_TEST(smallest_that_fits_comes_next)
{
	uint32_t blocks[6];

	take_row((const size_t[]){20, 1, 10, 1, 15, 1, 0}, blocks);
	give(blocks[0]);
	give(blocks[2]);
	give(blocks[4]);
	ck_assert_uint_eq(take(9), blocks[2]);
	box_expect_blocks(&box, -20, 1, 9, -1, 1, -15, 1, -(SPAN - 48));
}
END_TEST

START_TEST(splits_leave_the_rest_at_the_high_end)
{
	uint32_t blocks[2];

	take_row((const size_t[]){(size_t)_i, 1, 0}, blocks);
	give(blocks[0]);
	ck_assert_uint_eq(take((size_t)_i / 2), blocks[0]);
	box_expect_blocks(&box, _i / 2, -(_i - _i / 2), 1, -(SPAN - _i - 1));
}
END_TEST

START_TEST(top_is_the_last_resort)
{
	uint32_t blocks[2];

	take_row((const size_t[]){100, 1, 0}, blocks);
	give(blocks[0]);
	ck_assert_uint_eq(take(60), blocks[0]);
	ck_assert_uint_eq(take(40), blocks[0] + 60);
	ck_assert_uint_eq(take(1), blocks[1] + 1);
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
		blocks[index] = take(index ? MISFIT : FIT);
		take(1);
	}
	while (bh_alloc_block(&box.core, 1))
		;
	for (int index = 0; index < 20; index++)
		give(blocks[index]);
	return blocks[0];
}

START_TEST(no_request_fails_while_a_block_is_large_enough)
{
	uint32_t fit = class_of_misfits();

	ck_assert_uint_eq(take(FIT), fit);
	ck_assert_uint_eq(take(FIT), 0);
}
END_TEST

START_TEST(realtime_never_searches_a_class)
{
	uint32_t fit = class_of_misfits();

	box.core.realtime = true;
	ck_assert_uint_eq(take(FIT), 0);
	ck_assert_uint_ne(take(MISFIT), 0);
	box.core.realtime = false;
	ck_assert_uint_eq(take(FIT), fit);
}
END_TEST

/* ---- aligned ---- */

START_TEST(aligned_blocks)
{
	size_t alignment = (size_t)32 << _i, granules = 3;
	uint32_t block;

	take(1);
	block = bh_alloc_aligned(&box.core, alignment, granules);
	ck_assert_uint_ne(block, 0);
	ck_assert_uint_eq((uintptr_t)bh_core_address(&box.core, block) % alignment, 0);
	ck_assert_uint_eq(box_block_granules(&box, block), granules);
	box_check(&box);
	give(block);
	box_expect_blocks(&box, 1, -(SPAN - 1));
}
END_TEST

/*
 * A block that is just large enough for any alignment is found in its bin, before the top is cut.
 */
START_TEST(aligned_from_the_smallest_that_fits)
{
	static const uint32_t sizes[] = {8, 128}; /* a bin of one size, the first size of another */
	uint32_t block = take(sizes[_i]), aligned;

	take(1);
	give(block);
	aligned = bh_alloc_aligned(&box.core, 64, sizes[_i] - 3);
	ck_assert_uint_ge(aligned, block);
	ck_assert_uint_le(aligned + sizes[_i] - 3, block + sizes[_i]);
	box_check(&box);
}
END_TEST

/* Of two that fit alike the victim is taken: it is in no bin. */
START_TEST(the_victim_before_a_block_as_large)
{
	uint32_t large = take(201), other, victim;

	take(1);
	other = take(200);
	take(1);
	give(large);
	ck_assert_uint_eq(bh_alloc_block(&box.core, 1), large);
	victim = box.core.control->victim;
	ck_assert_uint_eq(box.core.control->victim_granules, 200);
	give(other);
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
	while (take(1))
		;
	place = bh_map_next(&box.core.map, BH_FIRST + SPAN / 2);
	while ((uintptr_t)bh_core_address(&box.core, place) % 512)
		place = bh_map_next(&box.core.map, place);
	give(place);
	box.core.realtime = true;
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 512, 4), 0);
	box.core.realtime = false;
	ck_assert_uint_eq(bh_alloc_aligned(&box.core, 512, 4), place);
	box_check(&box);
}
END_TEST

/* ---- free ---- */

START_TEST(free_merges_on_both_sides)
{
	static const int expected[4][6] = {
		{3, -4, 5, -(SPAN - 12)},
		{-7, 5, -(SPAN - 12)},
		{3, -(SPAN - 3)},
		{-SPAN},
	};
	uint32_t blocks[3];

	take_row((const size_t[]){3, 4, 5, 0}, blocks);
	if (_i & 1)
		give(blocks[0]);
	if (_i & 2)
		give(blocks[2]);
	give(blocks[1]);
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

	take_row((const size_t[]){300, 400, 500, 1, 0}, blocks);
	if (_i & 1)
		give(blocks[0]);
	if (_i & 2)
		give(blocks[2]);
	give(blocks[1]);
	box_expect(&box, expected[_i]);
}
END_TEST

START_TEST(find_knows_blocks_from_other_addresses)
{
	uint32_t block = take(4);
	char *address = bh_core_address(&box.core, block);

	ck_assert_uint_eq(bh_core_find(&box.core, address), block);
	for (int offset = 1; offset < 128; offset++)
		ck_assert_uint_eq(bh_core_find(&box.core, address + offset), 0);
	ck_assert_uint_eq(bh_core_find(&box.core, address - BH_GRANULE), 0);
	ck_assert_uint_eq(bh_core_find(&box.core, NULL), 0);
	ck_assert_uint_eq(bh_core_find(&box.core, bh_core_start(&box.core) + SPAN * BH_GRANULE), 0);
	give(block);
	ck_assert_uint_eq(bh_core_find(&box.core, address), 0);
}
END_TEST

/* ---- resize ---- */

static enum bh_status resize(uint32_t block, size_t granules)
{
	enum bh_status status = bh_resize_in_place(&box.core, block, granules);

	box_check(&box);
	return status;
}

START_TEST(shrink_gives_the_rest_back)
{
	uint32_t blocks[3];

	take_row((const size_t[]){10, 20, 1, 0}, blocks);
	ck_assert_int_eq(resize(blocks[0], 4), BH_DONE);
	box_expect_blocks(&box, 4, -6, 20, 1, -(SPAN - 31));
	give(blocks[1]);
	ck_assert_int_eq(resize(blocks[0], 1), BH_DONE);
	box_expect_blocks(&box, 1, -29, 1, -(SPAN - 31));
	ck_assert_int_eq(resize(blocks[2], 1), BH_DONE);
}
END_TEST

START_TEST(grow_takes_from_the_next)
{
	size_t unit = (size_t)_i;
	uint32_t blocks[3];

	take_row((const size_t[]){unit, 2 * unit, 1, 0}, blocks);
	ck_assert_int_eq(resize(blocks[0], unit + 1), BH_NO_ROOM);
	give(blocks[1]);
	ck_assert_int_eq(resize(blocks[0], unit + 1), BH_DONE);
	box_expect_blocks(&box, _i + 1, -(2 * _i - 1), 1, -(SPAN - 3 * _i - 1));
	ck_assert_int_eq(resize(blocks[0], 3 * unit + 1), BH_NO_ROOM);
	ck_assert_int_eq(resize(blocks[0], 3 * unit), BH_DONE);
	box_expect_blocks(&box, 3 * _i, 1, -(SPAN - 3 * _i - 1));
}
END_TEST

START_TEST(grow_takes_from_the_top)
{
	uint32_t block = take(5);

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

	take_row((const size_t[]){10, 20, 30, 1, 0}, blocks);
	give(blocks[0]);
	if (_i)
		give(blocks[2]);
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

	take_row((const size_t[]){10, 20, 0}, blocks);
	first = blocks[0];
	ck_assert_int_eq(bh_resize_slide(&box.core, &first, 11, 16), BH_NO_ROOM);
	ck_assert_int_eq(bh_resize_slide(&box.core, &blocks[1], 21, 16), BH_NO_ROOM);
	box_expect_blocks(&box, 10, 20, -(SPAN - 30));
}
END_TEST

/* ---- damage ---- */

START_TEST(the_last_bin_is_used)
{
	struct bh_finding finding;
	uint32_t block;

	box_end(&box);
	box_make(&box, 4095, BH_BIN_SHIFT_MAX);
	block = take(4090);
	take(1);
	ck_assert_uint_eq(bh_bin_of(&box.core.bins, 4090), box.core.bins.count - 1);
	give(block);
	ck_assert(bh_verify_derived(&box.core, &finding));
	ck_assert_uint_eq(take(4089), block);
}
END_TEST

/* Long enough that their sizes are read from the blocks themselves, beside used ones. */
#define DAMAGED 200

/* A row of free blocks of one bin between used ones; the middle one is written over. */
static void damage_make(uint32_t blocks[7], uint32_t granules, unsigned char byte)
{
	for (int index = 0; index < 7; index++)
		blocks[index] = take(index % 2 ? granules : 5);
	take(1);
	while (bh_alloc_block(&box.core, 5))
		;
	for (int index = 1; index < 7; index += 2)
		give(blocks[index]);
	memset(bh_core_address(&box.core, blocks[3]), byte, BH_GRANULE);
	if (byte == 1) { /* a size that is consistent and wrong, and links that lead to heads */
		bh_bin_node(&box.core.bins, blocks[3])->granules = granules - 1;
		bh_bin_node(&box.core.bins, blocks[3])->check = ~(granules - 1);
	}
}

/*
 * Whatever the call made of the damage: rebuilt, the heap is as it should be and usable to the
 * last.
 */
static void damage_heals(uint32_t used)
{
	struct bh_finding finding;

	ck_assert_uint_ne(box.core.bins.damaged, 0);
	ck_assert(bh_verify_map(&box.core, &finding));
	bh_rebuild(&box.core);
	box_check(&box);
	ck_assert_uint_eq(box.core.bins.damaged, 0);
	ck_assert_uint_eq(box.core.control->used, used);
	ck_assert_uint_eq(box.core.control->rebuilds, 1);
}

static const unsigned char bytes[] = {0, 1, 0x41, 0xff};

START_TEST(damage_is_seen_by_allocate)
{
	uint32_t blocks[7], used;

	damage_make(blocks, DAMAGED, bytes[_i]);
	used = box.core.control->used;
	for (int calls = 0; calls < 3 && bh_alloc_block(&box.core, DAMAGED); calls++)
		used += DAMAGED;
	damage_heals(used);
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

	damage_make(blocks, DAMAGED, bytes[_i]);
	used = box.core.control->used;
	ck_assert_uint_eq(bh_bin_of(&box.core.bins, DAMAGED),
			  bh_bin_of(&box.core.bins, DAMAGED + 1));
	ck_assert_uint_eq(bh_alloc_block(&box.core, DAMAGED + 1), 0);
	damage_heals(used);
	ck_assert_uint_eq(bh_alloc_block(&box.core, DAMAGED + 1), 0);
	ck_assert_uint_eq(box.core.bins.damaged, 0);
}
END_TEST

START_TEST(damage_is_seen_by_free)
{
	uint32_t blocks[7], used;

	damage_make(blocks, DAMAGED, bytes[_i / 2]);
	used = box.core.control->used;
	ck_assert_int_eq(bh_free_block(&box.core, blocks[_i % 2 ? 4 : 2]), BH_DAMAGED);
	damage_heals(used);
	give(blocks[_i % 2 ? 4 : 2]);
	ck_assert_uint_eq(box.core.control->used, used - 5);
}
END_TEST

START_TEST(damage_is_seen_by_resize)
{
	uint32_t blocks[7], used;

	damage_make(blocks, DAMAGED, bytes[_i / 2]);
	used = box.core.control->used;
	ck_assert_int_eq(bh_resize_in_place(&box.core, blocks[2], _i % 2 ? 6 : 4), BH_DAMAGED);
	damage_heals(used);
	ck_assert_int_eq(resize(blocks[2], _i % 2 ? 6 : 4), BH_DONE);
}
END_TEST

START_TEST(damage_is_seen_by_slide)
{
	uint32_t blocks[7], used, block;

	damage_make(blocks, DAMAGED, bytes[_i]);
	used = box.core.control->used;
	block = blocks[4];
	ck_assert_int_eq(bh_resize_slide(&box.core, &block, 6 + DAMAGED, 16), BH_DAMAGED);
	ck_assert_uint_eq(block, blocks[4]);
	damage_heals(used);
	ck_assert_int_eq(bh_resize_slide(&box.core, &block, 5 + DAMAGED, 16), BH_DONE);
	ck_assert_uint_eq(block, blocks[3]);
	box_check(&box);
}
END_TEST

/* Seen before anything moves: the caller still has his block where it was. */
START_TEST(damage_behind_is_seen_by_slide)
{
	uint32_t front, block, moved, behind, used;

	take(1);
	front = take(7);
	block = moved = take(5);
	behind = take(DAMAGED);
	take(1);
	while (bh_alloc_block(&box.core, 6))
		;
	give(front);
	give(behind);
	memset(bh_core_address(&box.core, behind), bytes[_i], BH_GRANULE);
	used = box.core.control->used;
	ck_assert_int_eq(bh_resize_slide(&box.core, &moved, 13 + DAMAGED, 16), BH_NO_ROOM);
	ck_assert_int_eq(bh_resize_slide(&box.core, &moved, 10 + DAMAGED, 16), BH_DAMAGED);
	ck_assert_uint_eq(moved, block);
	ck_assert(bh_map_is_used(&box.core.map, block));
	damage_heals(used);
	ck_assert_int_eq(bh_resize_slide(&box.core, &moved, 10 + DAMAGED, 16), BH_DONE);
	ck_assert_uint_eq(moved, front);
	box_check(&box);
}
END_TEST

START_TEST(damage_in_front_is_seen_by_slide)
{
	uint32_t front, block, used;

	take(1);
	front = take(DAMAGED);
	block = take(5);
	take(1);
	give(front);
	memset(bh_core_address(&box.core, front), bytes[_i], BH_GRANULE);
	used = box.core.control->used;
	ck_assert_int_eq(bh_resize_slide(&box.core, &block, 6, 16), BH_DAMAGED);
	ck_assert_uint_eq(block, front + DAMAGED);
	damage_heals(used);
}
END_TEST

START_TEST(damage_is_seen_by_aligned_allocate)
{
	uint32_t blocks[7], used;

	damage_make(blocks, DAMAGED, bytes[_i]);
	used = box.core.control->used;
	for (int calls = 0; calls < 3; calls++) {
		if (!bh_alloc_aligned(&box.core, 64, DAMAGED - 3))
			break;
		used += DAMAGED - 3;
	}
	damage_heals(used);
}
END_TEST

/* ---- rebuild ---- */

START_TEST(rebuild_makes_what_a_call_leaves)
{
	uint32_t blocks[8];

	take_row((const size_t[]){3, 200, 1, 17, 70, 2, 0}, blocks);
	give(blocks[0]);
	give(blocks[3]);
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

	take_row((const size_t[]){3, 200, 1, 17, 0}, blocks);
	give(blocks[0]);
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

	take_row((const size_t[]){3, 4, 5, 100, 0}, blocks);
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

	take_row((const size_t[]){3, 4, 5, 0}, blocks);
	bh_map_set_used(&box.core.map, blocks[1] + 2);
	bh_rebuild(&box.core);
	box_expect_blocks(&box, 3, 4, 5, -(SPAN - 12));
}
END_TEST

START_TEST(rebuild_of_a_full_heap)
{
	take(SPAN);
	bh_rebuild(&box.core);
	box_expect_blocks(&box, SPAN);
	ck_assert_uint_eq(take(1), 0);
}
END_TEST

/* ---- map words ---- */

#define LONG_SPAN (((size_t)1 << 24) + (1 << 19))

/*
 * Three blocks around a granule that a word of the map begins with, near the front or far from it:
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

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("heap", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, new_heap_is_one_block);
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
	tcase_add_loop_test(tcase, aligned_blocks, 0, 8);
	tcase_add_loop_test(tcase, aligned_from_the_smallest_that_fits, 0, 2);
	tcase_add_test(tcase, the_victim_before_a_block_as_large);
	tcase_add_test(tcase, aligned_beyond_all_is_refused);
	tcase_add_test(tcase, aligned_search_finds_the_only_place);
	tcase_add_loop_test(tcase, free_merges_on_both_sides, 0, 4);
	tcase_add_loop_test(tcase, free_merges_long_blocks, 0, 4);
	tcase_add_test(tcase, find_knows_blocks_from_other_addresses);
	tcase_add_test(tcase, shrink_gives_the_rest_back);
	tcase_add_loop_test(tcase, grow_takes_from_the_next, 1, 100);
	tcase_add_test(tcase, grow_takes_from_the_top);
	tcase_add_loop_test(tcase, slide_moves_the_content_down, 0, 2);
	tcase_add_test(tcase, slide_needs_a_free_block_in_front);
	tcase_add_loop_test(tcase, damage_is_seen_by_allocate, 0, 4);
	tcase_add_loop_test(tcase, damage_is_seen_by_free, 0, 8);
	tcase_add_loop_test(tcase, damage_is_seen_by_resize, 0, 8);
	tcase_add_loop_test(tcase, damage_is_seen_by_slide, 0, 4);
	tcase_add_test(tcase, the_last_bin_is_used);
	tcase_add_loop_test(tcase, damage_in_front_is_seen_by_slide, 1, 4);
	tcase_add_loop_test(tcase, damage_is_seen_by_a_search, 0, 4);
	tcase_add_loop_test(tcase, damage_behind_is_seen_by_slide, 1, 4);
	tcase_add_loop_test(tcase, damage_is_seen_by_aligned_allocate, 0, 4);
	tcase_add_test(tcase, rebuild_makes_what_a_call_leaves);
	tcase_add_test(tcase, rebuild_corrects_the_counters);
	tcase_add_test(tcase, rebuild_merges_free_neighbours);
	tcase_add_test(tcase, rebuild_drops_what_is_no_tiling);
	tcase_add_test(tcase, rebuild_of_a_full_heap);
	tcase_add_loop_test(tcase, map_boundaries, 0, 4);
	return suite_run(suite);
}
