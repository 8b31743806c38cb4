/* SPDX-License-Identifier: MIT */
/*
 * test_stats.c - the figures, each of them, after each kind of event.
 */
#include "support.h"

#include <unistd.h>

static bheap_t *heap;
static size_t size;
static struct bheap_stats stats;
static struct faults faults;

static void setup(void)
{
	faults_expect(&faults);
	size = (size_t)sysconf(_SC_PAGESIZE);
	heap = bheap_create(size, 0);
}

static void teardown(void)
{
	heap_empty(heap);
	bheap_destroy(heap);
}

static void stats_take(void)
{
	memset(&stats, 0xaa, sizeof(stats));
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.size, size);
	ck_assert_uint_eq(stats.free, size - stats.used);
	errno = 0;
	ck_assert_uint_eq(bheap_used(heap), stats.used);
	ck_assert_errno(0);
	for (size_t index = 0; index < sizeof(stats.reserved) / sizeof(*stats.reserved); index++)
		ck_assert_uint_eq(stats.reserved[index], 0);
}

START_TEST(of_a_new_heap)
{
	stats_take();
	ck_assert_uint_eq(stats.used, 0);
	ck_assert_uint_eq(stats.largest_free, size);
	ck_assert_uint_eq(stats.live_blocks, 0);
	ck_assert_uint_eq(stats.free_blocks, 1);
	ck_assert_uint_eq(stats.peak_used, 0);
	ck_assert_uint_eq(stats.allocations, 0);
	ck_assert_uint_eq(stats.frees, 0);
	ck_assert_uint_eq(stats.failures, 0);
	ck_assert_uint_eq(stats.faults, 0);
	ck_assert_uint_eq(stats.rebuilds, 0);
	ck_assert_uint_eq(stats.recoveries, 0);
	ck_assert_double_eq(stats.fragmentation, 0);
}
END_TEST

START_TEST(of_a_full_heap)
{
	void *block = bheap_alloc(heap, size);

	ck_assert_ptr_nonnull(block);
	stats_take();
	ck_assert_uint_eq(stats.used, size);
	ck_assert_uint_eq(stats.largest_free, 0);
	ck_assert_uint_eq(stats.free_blocks, 0);
	ck_assert_double_eq(stats.fragmentation, 0);
}
END_TEST

START_TEST(of_blocks)
{
	char *first = bheap_alloc(heap, 1), *second = bheap_alloc(heap, 100);

	ck_assert_ptr_nonnull(second);
	stats_take();
	ck_assert_uint_eq(stats.used, 16 + 112);
	ck_assert_uint_eq(stats.live_blocks, 2);
	ck_assert_uint_eq(stats.free_blocks, 1);
	ck_assert_uint_eq(stats.largest_free, size - 128);
	heap_free(heap, first);
	stats_take();
	ck_assert_uint_eq(stats.used, 112);
	ck_assert_uint_eq(stats.live_blocks, 1);
	ck_assert_uint_eq(stats.free_blocks, 2);
	ck_assert_uint_eq(stats.largest_free, size - 128);
	ck_assert_uint_eq(stats.peak_used, 128);
	ck_assert_uint_eq(stats.allocations, 2);
	ck_assert_uint_eq(stats.frees, 1);
	ck_assert_double_eq_tol(stats.fragmentation, 16.0 / (double)(size - 112), 1e-9);
}
END_TEST

START_TEST(peak_follows_resizes)
{
	char *block = bheap_alloc(heap, 16);

	block = bheap_realloc(heap, block, 1600);
	ck_assert_ptr_nonnull(block);
	block = bheap_realloc(heap, block, 160);
	stats_take();
	ck_assert_uint_eq(stats.used, 160);
	ck_assert_uint_eq(stats.peak_used, 1600);
	ck_assert_uint_eq(stats.allocations - stats.frees, 1);
}
END_TEST

START_TEST(of_failures)
{
	volatile size_t too_large = SIZE_MAX;

	ck_assert_ptr_null(bheap_alloc(heap, size + 1));
	ck_assert_ptr_null(bheap_aligned_alloc(heap, 64, size + 1));
	ck_assert_ptr_null(bheap_alloc(heap, too_large));
	stats_take();
	ck_assert_uint_eq(stats.failures, 3);
	ck_assert_uint_eq(stats.allocations, 0);
}
END_TEST

START_TEST(of_faults)
{
	char *block = bheap_alloc(heap, 100);
	uint64_t damage[2] = {UINT64_C(0x4141414141414141), UINT64_C(0x4141414141414141)};

	heap_free(heap, block + 16);
	heap_free(heap, &damage);
	stats_take();
	ck_assert_uint_eq(stats.faults, 2);
	ck_assert_uint_eq(faults.count, 2);
	ck_assert_uint_eq(stats.rebuilds, 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	heap_free(heap, block);
	memory_scribble(block, damage, sizeof(damage));
	block = bheap_alloc(heap, 100);
	ck_assert_ptr_nonnull(block);
	stats_take();
	ck_assert_uint_eq(stats.faults, 3);
	ck_assert_uint_eq(stats.rebuilds, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DAMAGED_INDEX);
}
END_TEST

START_TEST(wrong_arguments)
{
	ck_assert_int_eq(bheap_stats(heap, NULL), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_stats(NULL, &stats), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_uint_eq(bheap_used(NULL), 0);
	ck_assert_errno(EINVAL);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("stats", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, of_a_new_heap);
	tcase_add_test(tcase, of_a_full_heap);
	tcase_add_test(tcase, of_blocks);
	tcase_add_test(tcase, peak_follows_resizes);
	tcase_add_test(tcase, of_failures);
	tcase_add_test(tcase, of_faults);
	tcase_add_test(tcase, wrong_arguments);
	return suite_run(suite);
}
