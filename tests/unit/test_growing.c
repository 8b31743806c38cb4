/* SPDX-License-Identifier: MIT */
/*
 * test_growing.c - heaps of which only a part is mapped: what is told of them, how far they are
 * mapped after growth and after a large block was freed, and an end that comes early.
 */
#include "support.h"

#include <sys/mman.h>

#include "api/growing.h"

#define MIB ((size_t)1 << 20)
#define SIZE (64 * MIB)

static bheap_t *heap;

static void setup(void)
{
	heap = bh_growing_create(SIZE, BHEAP_UNLOCKED, true);
	ck_assert_ptr_nonnull(heap);
}

static void teardown(void)
{
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

/* Under tools all is mapped at once. */
static bool is_whole(void)
{
	ck_assert(heap->grows == !is_watched() || is_thread_sanitized());
	return !heap->grows;
}

static size_t mapped(void)
{
	return bh_core_size(&heap->core);
}

/* Told at any time: all that the heap may become. */
static void told_check(size_t used, unsigned blocks)
{
	struct bheap_stats stats;

	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.size, SIZE);
	ck_assert_uint_eq(stats.used, used);
	ck_assert_uint_eq(stats.free, SIZE - used);
	ck_assert_uint_eq(stats.largest_free, SIZE - used);
	ck_assert_uint_eq(stats.live_blocks, blocks);
	ck_assert_uint_eq(stats.free_blocks, used < SIZE);
}

START_TEST(is_told_whole)
{
	size_t part;

	told_check(0, 0);
	if (is_whole())
		return;
	part = mapped();
	ck_assert_uint_eq(part, MIB);
	/* The last free block, and none: all that is mapped is live. */
	ck_assert_ptr_nonnull(bheap_alloc(heap, part / 2));
	told_check(part / 2, 1);
	ck_assert_ptr_nonnull(bheap_alloc(heap, part / 2));
	ck_assert_ptr_null(bheap_alloc(heap, 1));
	told_check(part, 2);
}
END_TEST

START_TEST(grows_to_its_size)
{
	size_t used = 0;

	if (is_whole())
		return;
	while (used < SIZE) {
		char *block = bheap_alloc(heap, MIB);

		if (!block) {
			errno = EBADF;
			ck_assert(bh_growing_extend(heap, BHEAP_ALIGNMENT, MIB));
			ck_assert_errno(EBADF);
			continue;
		}
		block[0] = block[MIB - 1] = 1;
		used += MIB;
		ck_assert_uint_le(mapped(), used + used / 8 + 2 * MIB);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
	}
	told_check(SIZE, 64);
	ck_assert(!bh_growing_extend(heap, BHEAP_ALIGNMENT, 1));
}
END_TEST

START_TEST(one_large_request)
{
	char *block;

	if (is_whole())
		return;
	ck_assert(!bh_growing_extend(heap, BHEAP_ALIGNMENT, SIZE + 1));
	ck_assert(!bh_growing_extend(heap, 2 * SIZE, 1));
	ck_assert_uint_eq(mapped(), MIB);
	ck_assert(bh_growing_extend(heap, 16 * MIB, 20 * MIB));
	block = bheap_aligned_alloc(heap, 16 * MIB, 20 * MIB);
	ck_assert_ptr_nonnull(block);
	memset(block + 20 * MIB - 4096, 1, 4096);
	ck_assert_str_eq(protection_of(block), "rw-p");
	ck_assert_str_eq(protection_of((char *)bh_core_start(&heap->core) + mapped()), "");
}
END_TEST

/* All of it, where what is left is less than a step. */
START_TEST(all_that_is_left)
{
	if (is_whole())
		return;
	ck_assert(bh_growing_extend(heap, BHEAP_ALIGNMENT, SIZE));
	ck_assert_ptr_nonnull(bheap_alloc(heap, SIZE));
}
END_TEST

START_TEST(shrinks_behind_a_large_block)
{
	struct faults faults;
	char *small, *large;

	if (is_whole())
		return;
	small = bheap_alloc(heap, 1000);
	ck_assert(bh_growing_extend(heap, BHEAP_ALIGNMENT, SIZE / 2));
	large = bheap_alloc(heap, SIZE / 2);
	memset(large, 1, SIZE / 2);
	bh_growing_shorten(heap); /* there is nothing to unmap */
	ck_assert_uint_ge(mapped(), SIZE / 2);
	ck_assert_int_eq(bheap_free(heap, large), 0);
	errno = EBADF;
	bh_growing_shorten(heap);
	ck_assert_errno(EBADF);
	ck_assert_uint_le(mapped(), 6 * MIB);
	ck_assert_str_eq(protection_of(small + mapped()), "");
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	told_check(1008, 1);
	faults_expect(&faults);
	ck_assert_int_eq(heap_free(heap, large), -1);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DOUBLE_FREE);
	ck_assert_uint_eq(faults.last.size, SIZE - 1008);
	/* And up again: zero pages. */
	ck_assert(bh_growing_extend(heap, BHEAP_ALIGNMENT, SIZE / 2));
	large = bheap_alloc(heap, SIZE / 2);
	ck_assert_int_eq(large[SIZE / 4], 0);
}
END_TEST

/* What the system has given away is not taken, and nothing is left of the attempt. */
START_TEST(another_mapping_is_in_the_way)
{
	const size_t room = 8 * MIB + 65536; /* no whole number of steps */
	char *other;
	size_t before;

	if (is_whole())
		return;
	other = (char *)bh_core_start(&heap->core) + room;
	ck_assert_ptr_eq(
		mmap(other, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		other);
	other[0] = 42;
	before = mappings_count();
	ck_assert(!bh_growing_extend(heap, BHEAP_ALIGNMENT, 10 * MIB));
	ck_assert_uint_eq(mapped(), MIB);
	ck_assert_uint_eq(mappings_count(), before);
	/* Up to it, though the step would be longer. */
	while (mapped() < room)
		ck_assert(bh_growing_extend(heap, BHEAP_ALIGNMENT, mapped() + 4096));
	ck_assert(!bh_growing_extend(heap, BHEAP_ALIGNMENT, mapped() + 4096));
	ck_assert_int_eq(other[0], 42);
	ck_assert_int_eq(munmap(other, 4096), 0);
	ck_assert(bh_growing_extend(heap, BHEAP_ALIGNMENT, 10 * MIB));
}
END_TEST

START_TEST(guarded_heaps_are_whole)
{
	bheap_t *guarded = bh_growing_create(SIZE, BHEAP_UNLOCKED | BHEAP_GUARD, true);

	ck_assert_ptr_nonnull(guarded);
	ck_assert(!guarded->grows);
	ck_assert(!bh_growing_extend(guarded, BHEAP_ALIGNMENT, 1));
	bh_growing_shorten(guarded);
	ck_assert_ptr_nonnull(bheap_alloc(guarded, SIZE / 2));
	ck_assert_int_eq(bheap_destroy(guarded), 0);
}
END_TEST

START_TEST(bad_sizes)
{
	ck_assert_ptr_null(bh_growing_create(0, BHEAP_UNLOCKED, true));
	ck_assert_errno(EINVAL);
	ck_assert_ptr_null(bh_growing_create(BHEAP_SIZE_MAX + 1, BHEAP_UNLOCKED, false));
	ck_assert_errno(EINVAL);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("growing", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, is_told_whole);
	tcase_add_test(tcase, grows_to_its_size);
	tcase_add_test(tcase, one_large_request);
	tcase_add_test(tcase, all_that_is_left);
	tcase_add_test(tcase, shrinks_behind_a_large_block);
	tcase_add_test(tcase, another_mapping_is_in_the_way);
	tcase_add_test(tcase, guarded_heaps_are_whole);
	tcase_add_test(tcase, bad_sizes);
	return suite_run(suite);
}
