/* SPDX-License-Identifier: MIT */
/*
 * test_granule.c - bytes to granules and back, and the bit helpers, at their limits.
 */
#include "support.h"

#include "core/granule.h"

START_TEST(granules_of_sizes)
{
	static const struct {
		size_t size, granules;
	} rows[] = {
		{1, 1},
		{15, 1},
		{16, 1},
		{17, 2},
		{32, 2},
		{33, 3},
		{1024, 64},
		{1025, 65},
		{SIZE_MAX, SIZE_MAX / 16 + 1},
		{SIZE_MAX - 15, SIZE_MAX / 16},
		{SIZE_MAX - 16, SIZE_MAX / 16},
	};

	ck_assert_uint_eq(bh_granules(rows[_i].size), rows[_i].granules);
}
END_TEST

/* So that a size of 0 never passes for a small one. */
START_TEST(granules_of_zero_are_more_than_any_heap)
{
	ck_assert_uint_gt(bh_granules(0), BHEAP_SIZE_MAX / BH_GRANULE);
}
END_TEST

START_TEST(bytes_of_granules)
{
	for (size_t granules = 0; granules < 5000; granules++) {
		require_equal(bh_bytes(granules), granules * 16);
		require(!granules || bh_granules(bh_bytes(granules)) == granules);
	}
}
END_TEST

START_TEST(round_up)
{
	for (size_t alignment = 1; alignment <= 4096; alignment *= 2)
		for (size_t value = 0; value < 10000; value++) {
			size_t rounded = bh_round_up(value, alignment);

			require(rounded >= value && rounded < value + alignment);
			require_equal(rounded % alignment, 0);
		}
}
END_TEST

START_TEST(bits)
{
	uint64_t bit = UINT64_C(1) << _i;

	ck_assert_uint_eq(bh_lowest_bit(bit), (unsigned)_i);
	ck_assert_uint_eq(bh_highest_bit(bit), (unsigned)_i);
	ck_assert_uint_eq(bh_lowest_bit(bit | UINT64_C(1) << 63), (unsigned)_i);
	ck_assert_uint_eq(bh_highest_bit(bit | 1), (unsigned)_i);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("granule", &tcase, 10);

	tcase_add_loop_test(tcase, granules_of_sizes, 0, 11);
	tcase_add_test(tcase, granules_of_zero_are_more_than_any_heap);
	tcase_add_test(tcase, bytes_of_granules);
	tcase_add_test(tcase, round_up);
	tcase_add_loop_test(tcase, bits, 0, 64);
	return suite_run(suite);
}
