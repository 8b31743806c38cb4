/* SPDX-License-Identifier: MIT */
/*
 * test_bins.c - the index of free blocks alone: which bin a size is in, linking and unlinking, the
 * search for a bin, and links that were written over.
 */
#include "box.h"

#define SPAN 3000

static struct box box;
static struct bh_bins *bins;

static void setup(void)
{
	box_make(&box, SPAN, (unsigned)BH_BIN_SHIFT_MAX);
	bins = &box.core.bins;
	bh_bins_clear(bins);
}

static void teardown(void)
{
	box_end(&box);
}

/* A start at a block and at its end, as the map says of a free block. */
static uint32_t block_file(uint32_t offset, uint32_t granules)
{
	uint32_t block = BH_FIRST + offset;

	bh_map_set_start(&box.core.map, block, bh_map_block_at(&box.core.map, block - 1),
			 box.core.end);
	bh_map_set_start(&box.core.map, block + granules, block, box.core.end);
	bh_bin_insert(bins, block, granules);
	return block;
}

/* ---- sizes ---- */

START_TEST(small_sizes_have_bins_of_their_own)
{
	for (uint32_t granules = 1; granules < 64; granules++)
		require_equal(bh_bin_of(bins, granules), granules);
}
END_TEST

START_TEST(bins_are_in_order_of_size)
{
	uint32_t count;

	teardown();
	box_make(&box, 100000, (unsigned)_i);
	bins = &box.core.bins;
	count = bh_bins_count(100000, (unsigned)_i);
	ck_assert_uint_eq(count, bins->count);
	for (uint32_t granules = 2; granules <= 100000; granules++) {
		uint32_t lower = bh_bin_of(bins, granules - 1), bin = bh_bin_of(bins, granules);

		require(bin == lower || bin == lower + 1);
		require(bin < count);
	}
}
END_TEST

START_TEST(large_bins_are_narrow)
{
	teardown();
	box_make(&box, 1 << 20, BH_BIN_SHIFT_MAX);
	bins = &box.core.bins;
	for (uint32_t granules = 64; granules < 1 << 20; granules += 7) {
		uint32_t largest = granules;

		while (bh_bin_of(bins, largest + 1) == bh_bin_of(bins, granules))
			largest++;
		require(largest - granules <= granules / 32);
		granules = largest;
	}
}
END_TEST

START_TEST(the_largest_size_has_a_bin)
{
	struct bh_bins largest = *bins;

	largest.span = (uint32_t)BH_GRANULES_MAX;
	largest.shift = (uint32_t)_i;
	largest.exact_limit = 2u << _i;
	ck_assert_uint_lt(bh_bin_of(&largest, BH_GRANULES_MAX),
			  bh_bins_count(BH_GRANULES_MAX, (unsigned)_i));
	ck_assert_uint_le(bh_bins_count(BH_GRANULES_MAX, (unsigned)_i), BH_BIN_WORDS_MAX * 64);
	ck_assert_uint_ge(bh_bins_count(1, (unsigned)_i), 2);
}
END_TEST

/* ---- lists ---- */

START_TEST(link_and_unlink)
{
	uint32_t granules = (const uint32_t[]){10, 200}[_i], blocks[5],
		 bin = bh_bin_of(bins, granules);

	ck_assert_uint_eq(bh_bin_first(bins, bin), 0);
	for (uint32_t index = 0; index < 5; index++)
		blocks[index] = block_file(index * granules, granules);
	ck_assert_uint_eq(bh_bin_first(bins, bin), blocks[4]);
	if (granules >= bins->exact_limit)
		ck_assert_uint_eq(bh_bin_granules(bins, &box.core.map, blocks[4]), granules);
	ck_assert_uint_eq(bh_bin_next(bins, blocks[4]), blocks[3]);
	ck_assert_uint_eq(bh_bin_next(bins, blocks[0]), 0);
	for (unsigned index = 0; index < 5; index++) {
		ck_assert_uint_eq(bh_bin_find(bins, granules >= bins->exact_limit ? 64 : 0), bin);
		ck_assert(bh_bin_remove(bins, blocks[index * 2 % 5], granules));
	}
	ck_assert_uint_eq(bh_bin_find(bins, 0), 0);
	ck_assert_uint_eq(bh_bin_first(bins, bin), 0);
	ck_assert_uint_eq(bins->damaged, 0);
}
END_TEST

/* From the bins of large blocks on; the exact ones are one word that the caller looks at. */
START_TEST(find_goes_to_the_next_bin_that_has_a_block)
{
	static const uint32_t sizes[] = {64, 65, 130, 131, 700};
	uint32_t offset = 0;

	for (int index = 0; index < 5; index++) {
		block_file(offset, sizes[index]);
		offset += sizes[index];
	}
	for (uint32_t bin = 64, next = 0; bin < bins->count; bin++) {
		while (next < 5 && bh_bin_of(bins, sizes[next]) < bin)
			next++;
		ck_assert_uint_eq(bh_bin_find(bins, bin),
				  next < 5 ? bh_bin_of(bins, sizes[next]) : 0);
	}
	ck_assert_uint_eq(bh_bin_find(bins, bins->count), 0);
	ck_assert_uint_eq(bh_bin_find(bins, bins->count + 1000), 0);
}
END_TEST

/* ---- damage ---- */

#define LARGE 200

static const uint32_t bad_links[] = {UINT32_MAX, 0x41414141, SPAN + 2, 700};

/* The middle one of three, each link of it in turn: nothing is changed, and it is named. */
START_TEST(a_bad_link_is_not_followed)
{
	uint32_t low = block_file(0, LARGE), middle = block_file(LARGE, LARGE);
	uint32_t high = block_file(2 * LARGE, LARGE);
	struct bh_bin_node *node = bh_bin_node(bins, middle), good = *node;

	node->links.next = bad_links[_i];
	ck_assert(!bh_bin_remove(bins, middle, LARGE));
	ck_assert_uint_eq(bins->damaged, middle);
	bins->damaged = 0;
	ck_assert_uint_eq(bh_bin_next(bins, middle), 0);
	ck_assert_uint_eq(bins->damaged, middle);
	*node = good;
	node->links.previous = bad_links[_i];
	bins->damaged = 0;
	ck_assert(!bh_bin_remove(bins, middle, LARGE));
	ck_assert_uint_eq(bins->damaged, middle);
	*node = good;
	ck_assert_uint_eq(bh_bin_node(bins, high)->links.next, middle);
	ck_assert_uint_eq(bh_bin_node(bins, low)->links.previous, middle);
	ck_assert(bh_bin_remove(bins, middle, LARGE));
}
END_TEST

START_TEST(a_neighbour_that_does_not_point_back)
{
	uint32_t low = block_file(0, LARGE), middle = block_file(LARGE, LARGE);
	uint32_t high = block_file(2 * LARGE, LARGE);

	bh_bin_node(bins, _i ? low : high)->links = (struct bh_bin_links){5, 5};
	ck_assert(!bh_bin_remove(bins, middle, LARGE));
	ck_assert_uint_eq(bins->damaged, middle);
}
END_TEST

START_TEST(a_bad_size_is_seen)
{
	uint32_t block = block_file(0, LARGE);
	struct bh_bin_node *node = bh_bin_node(bins, block), good = *node;
	static const uint32_t sizes[] = {0, 1, 199, 201, SPAN + 1, UINT32_MAX};

	node->granules = sizes[_i];
	ck_assert_uint_eq(bh_bin_granules(bins, &box.core.map, block), 0);
	ck_assert_uint_eq(bins->damaged, block);
	bins->damaged = 0;
	node->check = ~sizes[_i]; /* consistent, but no block ends there */
	ck_assert_uint_eq(bh_bin_granules(bins, &box.core.map, block), 0);
	ck_assert_uint_eq(bins->damaged, block);
	*node = good;
	ck_assert_uint_eq(bh_bin_granules(bins, &box.core.map, block), LARGE);
}
END_TEST

/* A block may end where the heap does, and no further, whatever the map says there. */
START_TEST(a_size_up_to_the_end)
{
	uint32_t block = block_file(SPAN - LARGE, LARGE);
	struct bh_bin_node *node = bh_bin_node(bins, block);

	ck_assert_uint_eq(bh_bin_granules(bins, &box.core.map, block), LARGE);
	ck_assert_uint_eq(bins->damaged, 0);
	bh_map_add_start(&box.core.map, block + LARGE + 1);
	node->granules = LARGE + 1;
	node->check = ~node->granules;
	ck_assert_uint_eq(bh_bin_granules(bins, &box.core.map, block), 0);
	ck_assert_uint_eq(bins->damaged, block);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("bins", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, small_sizes_have_bins_of_their_own);
	tcase_add_loop_test(tcase, bins_are_in_order_of_size, 0, BH_BIN_SHIFT_MAX + 1);
	tcase_add_test(tcase, large_bins_are_narrow);
	tcase_add_loop_test(tcase, the_largest_size_has_a_bin, 0, BH_BIN_SHIFT_MAX + 1);
	tcase_add_loop_test(tcase, link_and_unlink, 0, 2);
	tcase_add_test(tcase, find_goes_to_the_next_bin_that_has_a_block);
	tcase_add_loop_test(tcase, a_bad_link_is_not_followed, 0, 4);
	tcase_add_loop_test(tcase, a_neighbour_that_does_not_point_back, 0, 2);
	tcase_add_loop_test(tcase, a_bad_size_is_seen, 0, 6);
	tcase_add_test(tcase, a_size_up_to_the_end);
	return suite_run(suite);
}
