/* SPDX-License-Identifier: MIT */
/*
 * test_map.c - the block map alone: the next and the previous start, and the boundary tags, held
 * against an array of bools, across words and far; and the words that fill and empty.
 */
#include "box.h"

#include <stdlib.h>

#define SPAN (262144 + 9000)

static struct box box;
static const struct bh_map *map;
static bool *starts; /* what the map should say */
static uint32_t first, end;

static void setup(void)
{
	box_make(&box, SPAN, BH_BIN_SHIFT_MAX);
	map = &box.core.map;
	first = BH_FIRST;
	end = box.core.end;
	starts = calloc(end + 1, sizeof(*starts));
	starts[first - 1] = starts[first] = starts[end] = true;
}

static void teardown(void)
{
	free(starts);
	box_end(&box);
}

static uint32_t next_true(uint32_t granule)
{
	do
		granule++;
	while (!starts[granule]);
	return granule;
}

static uint32_t previous_true(uint32_t granule)
{
	do
		granule--;
	while (!starts[granule]);
	return granule;
}

static void start_set(uint32_t granule)
{
	bh_map_set_start(map, granule, previous_true(granule), next_true(granule));
	starts[granule] = true;
}

static void start_clear(uint32_t granule)
{
	starts[granule] = false;
	bh_map_clear_start(map, granule);
	bh_map_tag(map, previous_true(granule), next_true(granule));
}

/* Of every block that has words to itself the first and the last tell where it begins and ends. */
static void tags_check(void)
{
	for (uint32_t block = first - 1; block < end;) {
		uint32_t next = next_true(block);
		uint64_t tag = (uint64_t)(next >> 6) << 32 | block >> 6;

		if ((next >> 6) - (block >> 6) > 1) {
			require_equal(map->words[(block >> 6) + 1].used, tag);
			require_equal(map->words[(next >> 6) - 1].used, tag);
		}
		block = next;
	}
}

/* From each granule given, both ways. */
static void neighbours_check(uint32_t granule)
{
	require_equal(bh_map_next(map, granule), next_true(granule));
	require_equal(bh_map_previous(map, granule), previous_true(granule));
	require_equal(bh_map_is_start(map, granule), starts[granule]);
}

START_TEST(an_empty_map)
{
	ck_assert_uint_eq(bh_map_next(map, first), end);
	ck_assert_uint_eq(bh_map_next(map, first - 1), first);
	ck_assert_uint_eq(bh_map_previous(map, end), first);
	ck_assert_uint_eq(bh_map_previous(map, first), first - 1);
	tags_check();
}
END_TEST

/* A single start in every place around every kind of boundary, seen from near and far. */
START_TEST(one_start_around_boundaries)
{
	static const uint32_t boundaries[] = {64, 128, 4096, 8192, 262144, SPAN};
	uint32_t boundary = boundaries[_i];

	for (uint32_t granule = boundary - 66; granule < boundary + 66; granule++) {
		if (granule <= first || granule >= end)
			continue;
		start_set(granule);
		require_equal(bh_map_next(map, first), granule);
		require_equal(bh_map_previous(map, end), granule);
		require_equal(bh_map_next(map, granule), end);
		require_equal(bh_map_previous(map, granule), first);
		tags_check();
		start_clear(granule);
		require_equal(bh_map_next(map, first), end);
		require_equal(bh_map_previous(map, end), first);
		tags_check();
	}
}
END_TEST

/* All pairs of starts near a boundary. */
START_TEST(two_starts_around_a_boundary)
{
	static const uint32_t boundaries[] = {4096, 262144};
	uint32_t boundary = boundaries[_i];

	for (uint32_t low = boundary - 70; low < boundary + 70; low++)
		for (uint32_t high = low + 1; high < boundary + 70; high += 3) {
			bh_map_set_start(map, low, first, end);
			bh_map_set_start(map, high, low, end);
			require_equal(bh_map_next(map, low), high);
			require_equal(bh_map_previous(map, high), low);
			bh_map_clear_start(map, low);
			bh_map_tag(map, first, high);
			require_equal(bh_map_next(map, first), high);
			require_equal(bh_map_previous(map, high), first);
			bh_map_clear_start(map, high);
			bh_map_tag(map, first, end);
			require_equal(bh_map_next(map, first), end);
		}
}
END_TEST

/* Starts come and go at random, from dense to very sparse. */
START_TEST(random_starts)
{
	static const uint32_t distances[] = {2, 60, 1000, 30000};
	uint64_t random = 3;
	uint32_t batch[64], count = SPAN / distances[_i] < 64 ? SPAN / distances[_i] : 64;

	for (int round = 0; round < 60; round++) {
		uint32_t base =
			first + (uint32_t)random_below(&random, SPAN - count * distances[_i]);

		for (uint32_t index = 0; index < count; index++) {
			batch[index] =
				base + (uint32_t)random_below(&random, count * distances[_i]);
			if (batch[index] > first && batch[index] < end && !starts[batch[index]])
				start_set(batch[index]);
		}
		for (uint32_t index = 0; index < count; index++)
			neighbours_check(batch[index]);
		for (uint32_t index = 0; index < count; index++)
			if (batch[index] > first && index % 3 && starts[batch[index]])
				start_clear(batch[index]);
		tags_check();
	}
}
END_TEST

START_TEST(used_bits)
{
	for (uint32_t granule = first; granule < first + 63; granule++) {
		if (granule > first)
			start_set(granule);
		require(!bh_map_is_used(map, granule) && !bh_map_is_live(map, granule));
		bh_map_set_used(map, granule);
		require(bh_map_is_used(map, granule) && bh_map_is_live(map, granule));
		require(!bh_map_is_live(map, granule + 1));
		require(granule == first || !bh_map_is_live(map, granule - 1));
		bh_map_clear_used(map, granule);
		require(!bh_map_is_used(map, granule) && !bh_map_is_live(map, granule));
	}
}
END_TEST

/* A tag has bits where another word has used blocks; and it is gone when a start comes. */
START_TEST(a_tag_is_no_used_bit)
{
	uint64_t seen = 0;

	for (uint32_t granule = 64; granule < 128; granule++)
		seen |= (uint64_t)bh_map_is_used(map, granule) << (granule & 63);
	ck_assert_uint_ne(seen, 0);
	for (uint32_t granule = 64; granule < 128; granule++) {
		require(!bh_map_is_live(map, granule));
		start_set(granule);
		require(!map->words[1].used);
		start_clear(granule);
		tags_check();
	}
}
END_TEST

/* Blocks of each size up to three words from each bit of a word, before a live and a free one. */
START_TEST(sizes_of_small_blocks)
{
	/* The next start is near: a look for it through all the bools costs seconds. */
	start_set(400);
	for (uint32_t granule = 64; granule < 128; granule++) {
		start_set(granule);
		for (uint32_t granules = 1; granules < 192; granules++) {
			uint32_t found = granules <= BH_MAP_SMALL_GRANULES ? granules : 0;

			start_set(granule + granules);
			require_equal(bh_map_small_granules(map, granule), 0);
			bh_map_set_used(map, granule);
			require_equal(bh_map_small_granules(map, granule), found);
			bh_map_set_used(map, granule + granules);
			require_equal(bh_map_small_granules(map, granule), found);
			require_equal(bh_map_small_granules(map, granule + granules), 0);
			bh_map_clear_used(map, granule + granules);
			bh_map_clear_used(map, granule);
			start_clear(granule + granules);
		}
		start_clear(granule);
	}
}
END_TEST

/* From every granule of small blocks and of one of several words. */
START_TEST(the_block_around_a_granule)
{
	for (uint32_t granule = first + 3; granule < 100; granule += 7)
		start_set(granule);
	start_set(700);
	for (uint32_t granule = first; granule < 800; granule++)
		require_equal(bh_map_block_at(map, granule),
			      starts[granule] ? granule : previous_true(granule));
	ck_assert_uint_eq(bh_map_block_at(map, end - 1), 700);
}
END_TEST

/* All of the largest map is one block, to which a granule in any word puts an end. */
START_TEST(words_far_away)
{
	struct box own;
	const struct bh_map *all = &own.core.map;

	if (is_watched()) /* they have no room for it */
		return;
	box_make(&own, BH_GRANULES_MAX, BH_BIN_SHIFT_MAX);
	for (uint32_t granule = own.core.end / 2; granule > 200; granule /= 2) {
		bh_map_set_start(all, granule, BH_FIRST, own.core.end);
		require_equal(bh_map_next(all, BH_FIRST), granule);
		require_equal(bh_map_previous(all, granule), BH_FIRST);
		require_equal(bh_map_next(all, granule), own.core.end);
		require_equal(bh_map_previous(all, own.core.end), granule);
		bh_map_clear_start(all, granule);
		bh_map_tag(all, BH_FIRST, own.core.end);
		require_equal(bh_map_next(all, BH_FIRST), own.core.end);
		require_equal(bh_map_previous(all, own.core.end), BH_FIRST);
	}
	box_end(&own);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("map", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_empty_map);
	tcase_add_loop_test(tcase, one_start_around_boundaries, 0, 6);
	tcase_add_loop_test(tcase, two_starts_around_a_boundary, 0, 2);
	tcase_add_loop_test(tcase, random_starts, 0, 4);
	tcase_add_test(tcase, used_bits);
	tcase_add_test(tcase, a_tag_is_no_used_bit);
	tcase_add_test(tcase, sizes_of_small_blocks);
	tcase_add_test(tcase, the_block_around_a_granule);
	tcase_add_test(tcase, words_far_away);
	return suite_run(suite);
}
