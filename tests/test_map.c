/* SPDX-License-Identifier: MIT */
/*
 * test_map.c - the block map alone: the next and the previous start, held against an array of
 * bools, across word and summary boundaries; and the words that fill and empty.
 */
#include "box.h"

#include <stdlib.h>

/* Past the third summary level's first word: 64^3 granules. */
#define SPAN (262144 + 9000)

static struct box box;
static const struct bh_map *map;
static bool *starts; /* what the map should say */
static uint32_t first, end;

static void setup(void)
{
	box_make(&box, SPAN, BH_BIN_SHIFT_MAX);
	map = &box.heap.map;
	first = BH_FIRST;
	end = box.heap.end;
	starts = calloc(end + 1, sizeof(*starts));
	starts[first - 1] = starts[first] = starts[end] = true;
}

static void teardown(void)
{
	free(starts);
	box_end(&box);
}

static void start_set(uint32_t granule)
{
	bh_map_set_start(map, granule);
	starts[granule] = true;
}

static void start_clear(uint32_t granule)
{
	bh_map_clear_start(map, granule);
	starts[granule] = false;
}

/* From each granule given, both ways. */
static void neighbours_check(uint32_t granule)
{
	uint32_t next = granule + 1, previous = granule - 1;

	while (!starts[next])
		next++;
	while (!starts[previous])
		previous--;
	require_equal(bh_map_next(map, granule), next);
	require_equal(bh_map_previous(map, granule), previous);
	require_equal(bh_map_is_start(map, granule), starts[granule]);
}

START_TEST(an_empty_map)
{
	ck_assert_uint_eq(bh_map_next(map, first), end);
	ck_assert_uint_eq(bh_map_next(map, first - 1), first);
	ck_assert_uint_eq(bh_map_previous(map, end), first);
	ck_assert_uint_eq(bh_map_previous(map, first), first - 1);
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
		start_clear(granule);
		require_equal(bh_map_next(map, first), end);
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
			bh_map_set_start(map, low);
			bh_map_set_start(map, high);
			require_equal(bh_map_next(map, low), high);
			require_equal(bh_map_previous(map, high), low);
			bh_map_clear_start(map, low);
			require_equal(bh_map_next(map, first), high);
			bh_map_clear_start(map, high);
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
		uint32_t base = first + (uint32_t)random_below(&random, SPAN - count * distances[_i]);

		for (uint32_t index = 0; index < count; index++) {
			batch[index] = base + (uint32_t)random_below(&random, count * distances[_i]);
			if (batch[index] > first && batch[index] < end)
				start_set(batch[index]);
		}
		for (uint32_t index = 0; index < count; index++)
			neighbours_check(batch[index]);
		for (uint32_t index = 0; index < count; index++)
			if (batch[index] > first && index % 3)
				start_clear(batch[index]);
	}
}
END_TEST

START_TEST(used_bits)
{
	for (uint32_t granule = first; granule < first + 130; granule++) {
		require(!bh_map_is_used(map, granule));
		bh_map_set_used(map, granule);
		require(bh_map_is_used(map, granule));
		require(!bh_map_is_used(map, granule + 1));
		require(granule == first || !bh_map_is_used(map, granule - 1));
		bh_map_clear_used(map, granule);
		require(!bh_map_is_used(map, granule));
	}
}
END_TEST

/* The only start of a map goes and comes: every level of the summary follows, of small maps and of the largest. */
START_TEST(the_last_start_goes)
{
	static const size_t sizes[] = {SPAN, BH_GRANULES_MAX};
	struct box own; /* that no walk is safe in */
	const struct bh_map *all = &own.heap.map;
	size_t word, counts[BH_MAP_LEVELS];
	unsigned levels = bh_map_levels(BH_FIRST + sizes[_i], counts);

	if (_i && is_watched()) /* they have no room for it */
		return;
	box_make(&own, sizes[_i], BH_BIN_SHIFT_MAX);
	for (int last = 0; last < 2; last++) {
		uint32_t granule = last ? own.heap.end : BH_FIRST - 1;

		bh_map_clear_start(all, BH_FIRST - 1);
		bh_map_clear_start(all, BH_FIRST);
		bh_map_clear_start(all, own.heap.end);
		for (unsigned level = 0; level < levels; level++)
			require_equal(all->summary[level][0], 0);
		bh_map_set_start(all, granule);
		word = granule >> 6;
		for (unsigned level = 0; level < levels; level++, word >>= 6)
			require_equal(all->summary[level][word >> 6], (uint64_t)1 << (word & 63));
	}
	box_end(&own);
}
END_TEST

START_TEST(levels_cover_all_words)
{
	static const struct {
		size_t granules;
		unsigned levels;
	} rows[] = {
		{1, 1},         {63, 1},           {64 * 64 - 1, 1},   {64 * 64, 2},
		{262143, 2},    {262144, 3},       {(1 << 24) - 1, 3}, {1 << 24, 4},
		{(1 << 30) - 1, 4}, {1 << 30, 5}, {UINT32_MAX, 5},
	};
	size_t counts[BH_MAP_LEVELS] = {0}, below = bh_map_words(rows[_i].granules);

	ck_assert_uint_eq(bh_map_levels(rows[_i].granules, counts), rows[_i].levels);
	for (unsigned level = 0; level < rows[_i].levels; level++) {
		ck_assert_uint_ge(counts[level] * 64, below);
		ck_assert_uint_lt((counts[level] - 1) * 64, below);
		below = counts[level];
	}
	ck_assert_uint_eq(below, 1);
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
	tcase_add_loop_test(tcase, the_last_start_goes, 0, 2);
	tcase_add_loop_test(tcase, levels_cover_all_words, 0, 11);
	return suite_run(suite);
}
