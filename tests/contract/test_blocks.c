/* SPDX-License-Identifier: MIT */
/*
 * test_blocks.c - the block functions as their contract has them, on each kind of heap: those that
 * work without a lock, with one, and with trailers.
 */
#include "kinds.h"

/* ---- alloc ---- */

START_TEST(alloc_to_the_last_byte)
{
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, size_of_all(_i));
	ck_assert_ptr_nonnull(block);
	memset(block, 1, size_of_all(_i));
	ck_assert_ptr_null(bheap_alloc(heap, 1));
	ck_assert_errno(ENOMEM);
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_ptr_null(bheap_alloc(heap, size_of_all(_i) + 1));
	ck_assert_errno(ENOMEM);
}
END_TEST

/* Uses all that a block can hold, as bheap_usable_size(3) has it: resized first, which moves
 * nothing. */
static void fill_all(char *block)
{
	size_t usable = bheap_usable_size(heap, block);
	char *resized = bheap_realloc(heap, block, usable);

	ck_assert_ptr_eq(resized, block);
	memset(resized, 1, usable);
	ck_assert_uint_eq(bheap_usable_size(heap, resized), usable);
}

START_TEST(alloc_of_nothing_is_a_block)
{
	char *first, *second;

	heap_make(_i);
	first = bheap_alloc(heap, 0);
	second = bheap_alloc(heap, 0);
	ck_assert_ptr_nonnull(first);
	ck_assert_ptr_nonnull(second);
	ck_assert_ptr_ne(first, second);
	ck_assert_uint_eq(bheap_usable_size(heap, first), 16);
	fill_all(first);
	ck_assert_int_eq(heap_free(heap, first), 0);
	ck_assert_int_eq(heap_free(heap, second), 0);
}
END_TEST

START_TEST(sizes_that_no_heap_has)
{
	static const size_t sizes[] = {
		SIZE_MAX,      SIZE_MAX - 15,     SIZE_MAX - 16,          SIZE_MAX / 2 + 1,
		SIZE_2_TO(36), SIZE_2_TO(36) + 1, (size_t)UINT32_MAX << 4};
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, 16);
	for (unsigned index = 0; index < 7; index++) {
		volatile size_t wanted = sizes[index];

		errno = 0;
		ck_assert_ptr_null(bheap_alloc(heap, wanted));
		ck_assert_errno(ENOMEM);
		errno = 0;
		ck_assert_ptr_null(bheap_calloc(heap, 1, wanted));
		ck_assert_errno(ENOMEM);
		errno = 0;
		ck_assert_ptr_null(bheap_aligned_alloc(heap, 4096, wanted));
		ck_assert_errno(ENOMEM);
		errno = 0;
		ck_assert_ptr_null(bheap_realloc(heap, block, wanted));
		ck_assert_errno(ENOMEM);
		errno = 0;
		ck_assert_ptr_null(bheap_realloc(heap, NULL, wanted));
		ck_assert_errno(ENOMEM);
	}
	ck_assert(bheap_owns(heap, block));
}
END_TEST

START_TEST(no_heap)
{
	char *block = (char *)&faults;
	volatile size_t count = SIZE_MAX / 4 + 1;

	errno = 0;
	ck_assert_ptr_null(bheap_alloc(NULL, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_calloc(NULL, 1, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_calloc(NULL, count, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_aligned_alloc(NULL, 64, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(NULL, block, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(NULL, NULL, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_reallocarray(NULL, block, 1, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_reallocarray(NULL, block, count, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_reallocarray(NULL, NULL, count, 16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(heap_free(NULL, block), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(heap_free(NULL, NULL), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_uint_eq(bheap_usable_size(NULL, block), 0);
	ck_assert_errno(EINVAL);
	ck_assert(!bheap_owns(NULL, block));
	ck_assert_uint_eq(bheap_trim(NULL), 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* ---- calloc ---- */

START_TEST(calloc_is_zero)
{
	unsigned char *block;

	heap_make(_i);
	block = bheap_alloc(heap, size_of_all(_i));
	memset(block, 0xff, size_of_all(_i));
	heap_free(heap, block);
	block = bheap_calloc(heap, 25, 41);
	ck_assert_ptr_nonnull(block);
	for (int index = 0; index < 25 * 41; index++)
		require(block[index] == 0);
	ck_assert_uint_ge(bheap_usable_size(heap, block), 25 * 41);
	ck_assert_ptr_nonnull(bheap_calloc(heap, 0, 10));
	ck_assert_ptr_nonnull(bheap_calloc(heap, 10, 0));
}
END_TEST

START_TEST(calloc_that_overflows)
{
	static const size_t pairs[][2] = {{SIZE_MAX, 2},
					  {2, SIZE_MAX},
					  {SIZE_2_TO(32), SIZE_2_TO(32)},
					  {SIZE_MAX / 16 + 1, 16},
					  {SIZE_MAX, SIZE_MAX}};
	struct bheap_stats stats;

	heap_make(_i);
	for (int index = 0; index < 5; index++) {
		volatile size_t count = pairs[index][0], each = pairs[index][1];

		errno = 0;
		ck_assert_ptr_null(bheap_calloc(heap, count, each));
		ck_assert_errno(ENOMEM);
	}
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.failures, 5);
}
END_TEST

/* ---- aligned ---- */

START_TEST(aligned_to_each_power_of_two)
{
	heap_make(_i);
	for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
		char *block = bheap_aligned_alloc(heap, alignment, 100);

		ck_assert_ptr_nonnull(block);
		ck_assert_uint_eq((uintptr_t)block % alignment, 0);
		ck_assert_uint_eq((uintptr_t)block % 16, 0);
		memset(block, 1, 100);
		ck_assert(bheap_owns(heap, block));
		if (alignment % 3 == 1) /* every other: the next finds holes */
			ck_assert_int_eq(heap_free(heap, block), 0);
	}
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

START_TEST(alignments_that_are_none)
{
	static const size_t alignments[] = {0, 3, 5, 24, 48, 100, SIZE_MAX, SIZE_MAX / 2 + 2};
	size_t largest = SIZE_MAX / 2 + 1;

	heap_make(_i);
	for (int index = 0; index < 8; index++) {
		errno = 0;
		ck_assert_ptr_null(bheap_aligned_alloc(heap, alignments[index], 16));
		ck_assert_errno(EINVAL);
	}
	errno = 0;
	/* Volatile, or clang warns that it cannot believe in such an alignment. */
	ck_assert_ptr_null(bheap_aligned_alloc(heap, *(volatile size_t *)&largest, 16));
	ck_assert_errno(ENOMEM);
}
END_TEST

/* A heap smaller than the alignment, around an address that has it. */
START_TEST(alignment_may_exceed_the_heap)
{
	static _Alignas(8192) char buffer[2 * 8192];
	bheap_t *small = bheap_create_in(buffer + 8192 - 900, 1024, 0);
	void *block;

	ck_assert_ptr_nonnull(small);
	block = bheap_aligned_alloc(small, 8192, 64);
	/* As numbers: the compiler knows that a new block is no part of what it has seen before. */
	ck_assert_uint_eq((uintptr_t)block, (uintptr_t)buffer + 8192);
	ck_assert_ptr_null(bheap_aligned_alloc(small, 8192, 16));
	ck_assert_errno(ENOMEM);
	ck_assert_int_eq(heap_free(small, block), 0);
	ck_assert_int_eq(bheap_check(small, NULL), 0);
	bheap_destroy(small);
}
END_TEST

START_TEST(freed_aligned_blocks_merge)
{
	char *blocks[8];

	heap_make(_i);
	for (int index = 0; index < 8; index++)
		blocks[index] = bheap_aligned_alloc(heap, 256, 40);
	for (int index = 0; index < 8; index++)
		ck_assert_int_eq(heap_free(heap, blocks[index * 3 % 8]), 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, size_of_all(_i)));
}
END_TEST

/* ---- realloc ---- */

/* ---- questions ---- */

START_TEST(usable_sizes)
{
	heap_make(_i);
	for (size_t wanted = 1; wanted < 200; wanted++) {
		char *block = bheap_alloc(heap, wanted);
		size_t usable = bheap_usable_size(heap, block);

		ck_assert_uint_eq(usable, is_guarded(_i) ? wanted : (wanted + 15) / 16 * 16);
		fill_all(block);
		ck_assert_int_eq(heap_free(heap, block), 0);
	}
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(owns_the_start_of_live_blocks_alone)
{
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, 100);
	ck_assert(bheap_owns(heap, block));
	for (int offset = -40; offset < 200; offset++)
		ck_assert_int_eq(bheap_owns(heap, block + offset), offset == 0);
	ck_assert(!bheap_owns(heap, NULL));
	ck_assert(!bheap_owns(heap, &block));
	ck_assert(!bheap_owns(heap, heap));
	heap_free(heap, block);
	ck_assert(!bheap_owns(heap, block));
	errno = 0;
	ck_assert_uint_eq(bheap_usable_size(heap, block), 0);
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* ---- wrong pointers ---- */

static void refused(void *ptr, enum bheap_fault_kind kind, size_t block_size, const char *what)
{
	char text[160], sized[64] = "";
	unsigned before = faults.count;

	if (block_size && kind != BHEAP_FAULT_DOUBLE_FREE)
		snprintf(sized, sizeof(sized), " (%zu bytes)", block_size);
	snprintf(text, sizeof(text), "bheap: 0x%jx%s: %s", (uintmax_t)(uintptr_t)ptr, sized, what);
	errno = 0;
	ck_assert_int_eq(heap_free(heap, ptr), -1);
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, before + 1);
	ck_assert_str_eq(faults.last.text, text);
	ck_assert_int_eq(faults.last.kind, kind);
	ck_assert_ptr_eq(faults.last.heap, heap);
	ck_assert_ptr_eq(faults.last.address, ptr);
	ck_assert_uint_eq(faults.last.size, block_size);
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(heap, ptr, 10));
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, before + 2);
	ck_assert_str_eq(faults.last.text, text);
}

START_TEST(wrong_pointers_are_told_apart)
{
	static const char elsewhere[] = "not the start of a block: outside the heap";
	static const char inside[] = "not the start of a block: inside one";
	static const char is_free[] = "the block is free already";
	size_t trailer = is_guarded(_i) ? 16 : 0;
	struct bheap_stats stats;
	char *block, *second, *third;

	heap_make(_i);
	block = bheap_alloc(heap, 100);
	second = bheap_alloc(heap, 200);
	third = bheap_alloc(heap, 16);
	heap_free(heap, second);
	refused(&block, BHEAP_FAULT_NOT_A_BLOCK, 0, elsewhere);
	refused(heap, BHEAP_FAULT_NOT_A_BLOCK, 0, elsewhere);
	refused((void *)1, BHEAP_FAULT_NOT_A_BLOCK, 0, elsewhere);
	refused((void *)UINTPTR_MAX, BHEAP_FAULT_NOT_A_BLOCK, 0, elsewhere);
	refused(block - 16, BHEAP_FAULT_NOT_A_BLOCK, 0, elsewhere);
	refused(block + size, BHEAP_FAULT_NOT_A_BLOCK, 0, elsewhere);
	refused(block + 1, BHEAP_FAULT_NOT_A_BLOCK, 112 + trailer, inside);
	refused(block + 16, BHEAP_FAULT_NOT_A_BLOCK, 112 + trailer, inside);
	refused(block + 111, BHEAP_FAULT_NOT_A_BLOCK, 112 + trailer, inside);
	refused(second, BHEAP_FAULT_DOUBLE_FREE, 208 + trailer, is_free);
	refused(second + 33, BHEAP_FAULT_DOUBLE_FREE, 208 + trailer, is_free);
	heap_free(heap, block);
	bheap_stats(heap, &stats); /* merges what a cache had */
	refused(second, BHEAP_FAULT_DOUBLE_FREE, 320 + 2 * trailer, is_free);
	bheap_stats(heap, &stats);
	ck_assert_uint_eq(stats.faults, faults.count);
	ck_assert_uint_eq(stats.live_blocks, 1);
	ck_assert(bheap_owns(heap, third));
}
END_TEST

START_TEST(another_heaps_block_is_refused)
{
	bheap_t *other = bheap_create(4096, 0);
	void *block = bheap_alloc(other, 100);

	heap_make(_i);
	refused(block, BHEAP_FAULT_NOT_A_BLOCK, 0, "not the start of a block: outside the heap");
	ck_assert_int_eq(heap_free(other, block), 0);
	bheap_destroy(other);
}
END_TEST

START_TEST(free_of_null_is_nothing)
{
	heap_make(_i);
	errno = ENOTTY;
	ck_assert_int_eq(heap_free(heap, NULL), 0);
	ck_assert_errno(ENOTTY);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* A block of the request's own class serves it, not one of a larger class that was freed later. */
START_TEST(its_own_class_comes_first)
{
	char *own, *larger;

	heap_make(_i);
	own = bheap_alloc(heap, 131 * 16 - 16);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	larger = bheap_alloc(heap, 140 * 16 - 16);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	ck_assert_int_eq(heap_free(heap, own), 0);
	ck_assert_int_eq(heap_free(heap, larger), 0);
	ck_assert_ptr_eq(bheap_alloc(heap, 129 * 16 - 16), own);
}
END_TEST

/* The second block of its bin would do; a real-time heap looks at the first alone. */
START_TEST(realtime_looks_at_one_block)
{
	static const size_t sizes[] = {131 * 16, 128 * 16};
	char *blocks[2];

	heap = bheap_create(65536, _i ? BHEAP_REALTIME : 0);
	for (int index = 0; index < 2; index++) {
		blocks[index] = bheap_alloc(heap, sizes[index]);
		ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	}
	while (bheap_alloc(heap, 1024))
		;
	for (int index = 0; index < 2; index++)
		ck_assert_int_eq(heap_free(heap, blocks[index]), 0);
	ck_assert_ptr_eq(bheap_alloc(heap, 130 * 16), _i ? NULL : blocks[0]);
	ck_assert_ptr_eq(bheap_alloc(heap, 128 * 16), blocks[1]);
}
END_TEST

/* An aligned block of a full heap, freed, serves the same request again. */
START_TEST(an_aligned_block_comes_back)
{
	static const size_t sizes[] = {64, 1000, 4096, 20000};
	size_t wanted = sizes[_i % 4];
	char *block;

	heap = bheap_create(65536, _i / 4 ? BHEAP_REALTIME : 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	block = bheap_aligned_alloc(heap, 4096, wanted);
	ck_assert_ptr_nonnull(block);
	while (bheap_alloc(heap, 16))
		;
	ck_assert_ptr_null(bheap_aligned_alloc(heap, 4096, wanted));
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_ptr_eq(bheap_aligned_alloc(heap, 4096, wanted), block);
	ck_assert_ptr_null(bheap_aligned_alloc(heap, 4096, wanted));
}
END_TEST

/* ---- damage ---- */

/*
 * Free blocks of one size between used ones; all their first bytes are written over, or their links
 * alone.
 */
START_TEST(damage_is_rebuilt_once)
{
	static const unsigned char damage[16] = "use after free!";
	struct bheap_stats stats;
	char *blocks[20];

	heap_make(_i);
	for (int index = 0; index < 20; index++)
		blocks[index] = bheap_alloc(heap, 40);
	for (int index = 0; index < 20; index += 2)
		heap_free(heap, blocks[index]);
	for (int index = 0; index < 20; index += 2)
		memory_scribble(blocks[index], damage, is_guarded(_i) ? 8 : sizeof(damage));
	for (int index = 0; index < 10; index++)
		ck_assert_ptr_nonnull(bheap_alloc(heap, 40));
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DAMAGED_INDEX);
	ck_assert_uint_eq(faults.last.size, is_guarded(_i) ? 64 : 48);
	ck_assert_ptr_nonnull(strstr(faults.last.text, "a write to a free block; rebuilt"));
	bheap_stats(heap, &stats);
	ck_assert_uint_eq(stats.rebuilds, 1);
	ck_assert_uint_eq(stats.live_blocks, 20);
	for (int index = 1; index < 20; index += 2)
		ck_assert_int_eq(heap_free(heap, blocks[index]), 0);
}
END_TEST

/* Every operation that meets the damage first gets its work done all the same. */
START_TEST(damage_is_met_by_each_operation)
{
	static const unsigned char damage[16] = "use after free!";
	char *blocks[8], *aligned;

	for (int operation = 0; operation < 5; operation++) {
		heap_make(_i);
		for (int index = 0; index < 8; index++)
			blocks[index] = bheap_alloc(heap, 1500);
		heap_free(heap, blocks[1]);
		heap_free(heap, blocks[3]);
		heap_free(heap, blocks[5]);
		memory_scribble(blocks[3], damage, is_guarded(_i) ? 8 : sizeof(damage));
		switch (operation) {
		case 0: ck_assert_int_eq(heap_free(heap, blocks[2]), 0); break;
		case 1: ck_assert_int_eq(heap_free(heap, blocks[4]), 0); break;
		case 2: ck_assert_ptr_eq(bheap_realloc(heap, blocks[2], 2500), blocks[2]); break;
		case 3: ck_assert_ptr_eq(bheap_realloc(heap, blocks[2], 500), blocks[2]); break;
		default:
			aligned = bheap_aligned_alloc(heap, 64, 1300);
			ck_assert_ptr_nonnull(aligned);
			while (faults.count < 5 && (aligned = bheap_aligned_alloc(heap, 64, 1300)))
				ck_assert_uint_eq((uintptr_t)aligned % 64, 0);
		}
		ck_assert_uint_eq(faults.count, (unsigned)operation + 1);
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_DAMAGED_INDEX);
		/*
		 * The block whose links were found wrong: that one, or its neighbour in the list.
		 */
		ck_assert(faults.last.address == blocks[3] || faults.last.address == blocks[5]);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
		teardown();
	}
	heap = NULL;
}
END_TEST

/* ---- guards ---- */

static void overflow(char *block, size_t at, size_t bytes)
{
	/* Even bytes: the first byte of a seal is odd, so that 13 of them always break it. */
	static const char text[64] =
		"BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";

	memory_scribble(block + at, text, bytes);
}

/* Sizes of an overflow that starts right after 100 bytes. */
static const size_t overflows[] = {1, 8, 12, 13, 16, 28};

START_TEST(an_overflow_is_reported_at_free)
{
	char *block, *next;

	heap_make(2 + _i / 6);
	block = bheap_alloc(heap, 100);
	next = bheap_alloc(heap, 100);
	overflow(block, 100, overflows[_i % 6]);
	ck_assert_int_eq(heap_free(heap, next), 0);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_OVERFLOW);
	ck_assert_ptr_eq(faults.last.address, block);
	ck_assert_uint_eq(faults.last.size, overflows[_i % 6] <= 12 ? 100 : 112);
	ck_assert(!bheap_owns(heap, block));
}
END_TEST

static void block_tests_add(TCase *tcase)
{
	tcase_add_loop_test(tcase, alloc_to_the_last_byte, 0, KINDS);
	tcase_add_loop_test(tcase, alloc_of_nothing_is_a_block, 0, KINDS);
	tcase_add_loop_test(tcase, sizes_that_no_heap_has, 0, KINDS);
	tcase_add_test(tcase, no_heap);
	tcase_add_loop_test(tcase, calloc_is_zero, 0, KINDS);
	tcase_add_loop_test(tcase, calloc_that_overflows, 0, KINDS);
	tcase_add_loop_test(tcase, aligned_to_each_power_of_two, 0, KINDS);
	tcase_add_loop_test(tcase, alignments_that_are_none, 0, KINDS);
	tcase_add_test(tcase, alignment_may_exceed_the_heap);
	tcase_add_loop_test(tcase, freed_aligned_blocks_merge, 0, KINDS);
	tcase_add_loop_test(tcase, usable_sizes, 0, KINDS);
	tcase_add_loop_test(tcase, owns_the_start_of_live_blocks_alone, 0, KINDS);
}

static void fault_tests_add(TCase *tcase)
{
	tcase_add_loop_test(tcase, wrong_pointers_are_told_apart, 0, KINDS);
	tcase_add_loop_test(tcase, another_heaps_block_is_refused, 0, KINDS);
	tcase_add_loop_test(tcase, free_of_null_is_nothing, 0, KINDS);
	tcase_add_loop_test(tcase, its_own_class_comes_first, 0, KINDS);
	tcase_add_loop_test(tcase, realtime_looks_at_one_block, 0, 2);
	tcase_add_loop_test(tcase, an_aligned_block_comes_back, 0, 8);
	tcase_add_loop_test(tcase, damage_is_rebuilt_once, 0, KINDS_UNCACHED);
	tcase_add_loop_test(tcase, damage_is_met_by_each_operation, 0, KINDS);
	tcase_add_loop_test(tcase, an_overflow_is_reported_at_free, 0, 12);
}

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("blocks", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	block_tests_add(tcase);
	fault_tests_add(tcase);
	return suite_run(suite);
}
