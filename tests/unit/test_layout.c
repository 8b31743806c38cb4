/* SPDX-License-Identifier: MIT */
/*
 * test_layout.c - how a size is divided: parts that are aligned and do not overlap, nothing beyond
 * the size given, and little lost to bookkeeping.
 */
#include "support.h"

#include "handle/intent.h"
#include "handle/shared.h"

/*
 * The parts in order, each no smaller than it must be; the last granule is a sentinel of the map.
 */
static void layout_check(const struct bh_layout *layout, size_t lead)
{
	size_t last = (size_t)BH_FIRST + layout->span, at;

	require(layout->control >= lead && layout->control % BH_GRANULE == 0);
	at = layout->control + offsetof(struct bh_control, bits.words) +
	     ((size_t)layout->bins + 63) / 64 * 8;
	require(layout->heads >= at && layout->heads % 4 == 0);
	at = layout->heads + layout->bins * sizeof(uint32_t);
	require(layout->map >= at + sizeof(struct bh_map_word) && layout->map % 16 == 0);
	at = layout->map + (bh_map_words(last) + 1) * sizeof(struct bh_map_word);
	require(layout->granules >= at && layout->granules % BH_GRANULE == 0);
	require_equal(layout->size, layout->granules + bh_bytes(layout->span));
	require_equal(layout->bins, bh_bins_count(layout->span, layout->shift));
}

START_TEST(for_granules)
{
	static const size_t counts[] = {1,   2,    63,      64,      255,
					256, 4096, 1 << 20, 1 << 24, BH_GRANULES_MAX};
	struct bh_layout layout;

	for (unsigned shift = 0; shift <= BH_BIN_SHIFT_MAX; shift++) {
		bh_layout_for_granules(&layout, counts[_i], 100, shift, 4096, 4096);
		layout_check(&layout, 100);
		ck_assert_uint_eq(layout.span, counts[_i]);
		ck_assert_uint_eq(layout.granules % 4096, 0);
		ck_assert_uint_ge(layout.granules - layout.map, 4096);
		bh_layout_for_granules(&layout, counts[_i], 0, shift, BH_GRANULE, 0);
		layout_check(&layout, 0);
	}
}
END_TEST

/* Every size: within it, and hardly a granule fewer than it holds. */
START_TEST(for_every_small_size)
{
	struct bh_layout layout, larger;

	for (size_t size = 512; size < 40000; size++) {
		require(bh_layout_for_size(&layout, size, 64));
		layout_check(&layout, 64);
		require(layout.size <= size);
		bh_layout_for_granules(&larger, layout.span + 3 + layout.span / 250, 64,
				       layout.shift, BH_GRANULE, 0);
		require(larger.size > size);
	}
}
END_TEST

START_TEST(for_sizes_up_to_the_largest)
{
	struct bh_layout layout;

	for (size_t size = 40000; size <= BHEAP_SIZE_MAX; size += size / 7) {
		require(bh_layout_for_size(&layout, size, 64));
		layout_check(&layout, 64);
		require(layout.size <= size);
		require((double)bh_bytes(layout.span) > 0.92 * (double)size);
	}
	ck_assert(bh_layout_for_size(&layout, BHEAP_SIZE_MAX, 64));
	ck_assert_uint_le(layout.size, BHEAP_SIZE_MAX);
	ck_assert_uint_gt(layout.size, BHEAP_SIZE_MAX - BHEAP_SIZE_MAX / 4000);
}
END_TEST

/* The room for blocks in small buffers: what the bookkeeping leaves. */
/* A page is enough for a shared heap, or attach.c would have to ask. */
START_TEST(a_page_is_enough_for_a_shared_heap)
{
	struct bh_layout layout;

	ck_assert(bh_layout_for_size(&layout, 4096, sizeof(struct bh_shared)));
	ck_assert_uint_gt(layout.span, 100);
}
END_TEST

START_TEST(bookkeeping_is_small)
{
	static const struct {
		size_t size;
		double share;
	} rows[] = {{1024, 0.55},  {2048, 0.70},  {4096, 0.80},
		    {16384, 0.90}, {65536, 0.92}, {1 << 20, 0.97}};
	struct bh_layout layout;

	ck_assert(bh_layout_for_size(&layout, rows[_i].size, 64));
	ck_assert_double_ge((double)bh_bytes(layout.span) / (double)rows[_i].size, rows[_i].share);
}
END_TEST

START_TEST(too_small_is_refused)
{
	struct bh_layout layout;

	ck_assert(!bh_layout_for_size(&layout, 0, 0));
	ck_assert(!bh_layout_for_size(&layout, 64, 0));
	ck_assert(!bh_layout_for_size(&layout, 1000, 2000));
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("layout", &tcase, 30);

	tcase_add_loop_test(tcase, for_granules, 0, 10);
	tcase_add_test(tcase, for_every_small_size);
	tcase_add_test(tcase, for_sizes_up_to_the_largest);
	tcase_add_test(tcase, a_page_is_enough_for_a_shared_heap);
	tcase_add_loop_test(tcase, bookkeeping_is_small, 0, 6);
	tcase_add_test(tcase, too_small_is_refused);
	return suite_run(suite);
}
