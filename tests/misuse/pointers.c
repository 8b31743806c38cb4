/* SPDX-License-Identifier: MIT */
/*
 * pointers.c - every kind of wrong pointer, given to every function that takes one: refused at the
 * call, reported to the letter, and the heap works on. A row is a pointer; it runs in every place.
 */
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>

typedef const void *pointer_fn(struct fixture *fixture);

static int block_containing(const struct bheap_block *block, void *arg)
{
	struct bheap_block *wanted = arg;

	if ((uintptr_t)wanted->address - (uintptr_t)block->address >= block->size)
		return 0;
	*wanted = *block;
	return 1;
}

/* The block that an address lies in; of size 0 outside the heap. */
static struct bheap_block block_of(const struct fixture *fixture, const void *ptr)
{
	struct bheap_block block = {.address = ptr};

	return bheap_walk(fixture->heap, block_containing, &block) == 1 ? block
									: (struct bheap_block){0};
}

static uintptr_t heap_start(const struct fixture *fixture)
{
	struct bheap_block first = {0};

	bheap_walk(fixture->heap, block_containing, &first);
	for (uintptr_t at = (uintptr_t)fixture->live[0].ptr;; at -= 16)
		if (!block_of(fixture, (void *)(at - 16)).size)
			return at;
}

static uintptr_t heap_end(const struct fixture *fixture)
{
	struct bheap_stats stats;

	bheap_stats(fixture->heap, &stats);
	return heap_start(fixture) + stats.size;
}

/* ---- freed twice ---- */

static const void *freed_at_once(struct fixture *fixture)
{
	const void *block = fixture_keep(fixture, 48);

	fixture_keep(fixture, 16);
	fixture_release(fixture, block);
	return block;
}

static const void *freed_large(struct fixture *fixture)
{
	const void *block = fixture_keep(fixture, 5000);

	fixture_keep(fixture, 16);
	fixture_release(fixture, block);
	return block;
}

static const void *freed_into_the_top(struct fixture *fixture)
{
	const void *block = fixture_keep(fixture, 48);

	fixture_release(fixture, block);
	return block;
}

static const void *freed_before_another(struct fixture *fixture)
{
	const void *block = fixture_keep(fixture, 48), *second;

	fixture_keep(fixture, 16);
	second = fixture_keep(fixture, 48);
	fixture_keep(fixture, 16);
	fixture_release(fixture, block);
	fixture_release(fixture, second);
	return block;
}

/* Three neighbours; which are freed first and last. */
static const void *merged(struct fixture *fixture, int first, int last)
{
	const void *blocks[3];

	for (int index = 0; index < 3; index++)
		blocks[index] = fixture_keep(fixture, 64);
	fixture_keep(fixture, 16);
	if (first >= 0)
		fixture_release(fixture, blocks[first]);
	fixture_release(fixture, blocks[1]);
	if (last >= 0)
		fixture_release(fixture, blocks[last]);
	return blocks[1];
}

static const void *merged_left(struct fixture *fixture)
{
	return merged(fixture, 0, -1);
}

static const void *merged_right(struct fixture *fixture)
{
	return merged(fixture, -1, 2);
}

static const void *merged_on_both_sides(struct fixture *fixture)
{
	return merged(fixture, 0, 2);
}

static const void *reused_at_another_boundary(struct fixture *fixture)
{
	const void *block = merged(fixture, 0, 2);

	fixture_keep(fixture, 3 * fixture_taken(fixture, 64) - (fixture->guarded ? 16 : 0));
	return block;
}

static const void *freed_when_aligned(struct fixture *fixture)
{
	const void *block = bheap_aligned_alloc(fixture->heap, 1024, 100);

	ck_assert_int_eq(fixture_free(fixture, block), 0);
	return block;
}

static const void *freed_and_trimmed(struct fixture *fixture)
{
	const void *block = freed_large(fixture);

	bheap_trim(fixture->heap);
	return block;
}

static const void *in_the_victim(struct fixture *fixture)
{
	const char *block = (const char *)freed_large(fixture);

	fixture_keep(fixture, 200);
	return block + fixture_taken(fixture, 200);
}

static const void *moved_away_by_realloc(struct fixture *fixture)
{
	void *block = bheap_alloc(fixture->heap, 64), *moved;
	uintptr_t old = (uintptr_t)block;

	fixture_keep(fixture, 16);
	moved = bheap_realloc(fixture->heap, block, 3000);
	ck_assert((uintptr_t)moved != old);
	return (const void *)old;
}

static const void *cut_off_by_realloc(struct fixture *fixture)
{
	char *block = bheap_alloc(fixture->heap, 640);

	fixture_keep(fixture, 16);
	block = bheap_realloc(fixture->heap, block, 64);
	return block + fixture_taken(fixture, 64) + 32;
}

/* ---- inside blocks ---- */

static const void *inside_at(struct fixture *fixture, size_t offset)
{
	return fixture_keep(fixture, 96) + offset;
}

static const void *inside_by_a_byte(struct fixture *fixture)
{
	return inside_at(fixture, 1);
}

static const void *inside_by_a_word(struct fixture *fixture)
{
	return inside_at(fixture, 8);
}

static const void *inside_by_a_granule(struct fixture *fixture)
{
	return inside_at(fixture, 16);
}

static const void *inside_at_its_last_granule(struct fixture *fixture)
{
	return inside_at(fixture, 80);
}

static const void *inside_at_its_last_byte(struct fixture *fixture)
{
	return inside_at(fixture, 95);
}

static const void *inside_a_large_block(struct fixture *fixture)
{
	return fixture_keep(fixture, 20000) + 16384;
}

static const void *its_last_taken_byte(struct fixture *fixture)
{
	return fixture_keep(fixture, 50) + fixture_taken(fixture, 50) - 1;
}

static const void *inside_a_free_block(struct fixture *fixture)
{
	return (const char *)freed_large(fixture) + 1600;
}

static const void *misaligned_in_a_free_block(struct fixture *fixture)
{
	return (const char *)freed_at_once(fixture) + 1;
}

static const void *one_past_before_free_memory(struct fixture *fixture)
{
	return fixture_keep(fixture, 48) + fixture_taken(fixture, 48);
}

static const void *where_no_block_was_yet(struct fixture *fixture)
{
	return fixture->live[0].ptr + FIXTURE_SIZE / 2;
}

/* ---- outside the heap ---- */

static const void *before_the_first(struct fixture *fixture)
{
	return (const void *)(heap_start(fixture) - 16);
}

static const void *a_byte_before_the_first(struct fixture *fixture)
{
	return (const void *)(heap_start(fixture) - 1);
}

static const void *a_page_before_the_first(struct fixture *fixture)
{
	return (const void *)(heap_start(fixture) - 4096);
}

static const void *at_the_end(struct fixture *fixture)
{
	return (const void *)heap_end(fixture);
}

static const void *behind_the_end(struct fixture *fixture)
{
	return (const void *)(heap_end(fixture) + 16);
}

static const void *the_handle(struct fixture *fixture)
{
	return fixture->heap;
}

static const void *in_the_bookkeeping(struct fixture *fixture)
{
	return (const char *)fixture->heap + 512;
}

static const void *on_the_stack(struct fixture *fixture)
{
	return (const char *)fixture + 16; /* the test's own variable */
}

static const void *static_memory(struct fixture *fixture)
{
	static _Alignas(16) char word[16];

	(void)fixture;
	return word;
}

static const void *a_literal(struct fixture *fixture)
{
	(void)fixture;
	return "literal";
}

static const void *a_function(struct fixture *fixture)
{
	(void)fixture;
	return (const void *)(uintptr_t)a_function;
}

static const void *of_malloc(struct fixture *fixture)
{
	static void *volatile block; /* reachable to the end */

	(void)fixture;
	block = malloc(32);
	return block;
}

static const void *another_heaps_block(struct fixture *fixture)
{
	return bheap_alloc(fixture->other, 48);
}

static const void *another_heaps_free_block(struct fixture *fixture)
{
	void *block = bheap_alloc(fixture->other, 48);

	ck_assert_int_eq(heap_free(fixture->other, block), 0);
	return block;
}

static const void *eight(struct fixture *fixture)
{
	(void)fixture;
	return (const void *)8;
}

static const void *sixteen(struct fixture *fixture)
{
	(void)fixture;
	return (const void *)16;
}

static const void *minus_one(struct fixture *fixture)
{
	(void)fixture;
	return (const void *)UINTPTR_MAX;
}

static const void *minus_sixteen(struct fixture *fixture)
{
	(void)fixture;
	return (const void *)(UINTPTR_MAX - 15);
}

static const void *half_of_all(struct fixture *fixture)
{
	(void)fixture;
	return (const void *)(UINTPTR_MAX / 2 + 1);
}

/* What it is modulo 2^32 granules or bytes is a live block. */
static const void *a_block_plus_64_gib(struct fixture *fixture)
{
	return (const void *)((uintptr_t)fixture_keep(fixture, 48) + SIZE_2_TO(36));
}

static const void *a_block_plus_4_gib(struct fixture *fixture)
{
	return (const void *)((uintptr_t)fixture_keep(fixture, 48) + SIZE_2_TO(32));
}

static const void *a_block_minus_64_gib(struct fixture *fixture)
{
	return (const void *)((uintptr_t)fixture_keep(fixture, 48) - SIZE_2_TO(36));
}

static const void *a_block_with_its_top_bit_turned(struct fixture *fixture)
{
	return (const void *)((uintptr_t)fixture_keep(fixture, 48) ^ ~(UINTPTR_MAX >> 1));
}

static const struct {
	const char *name;
	pointer_fn *make;
	enum bheap_fault_kind kind;
	bool outside;
} rows[] = {
#define TWICE(name)                                                                                \
	{                                                                                          \
#name, name, BHEAP_FAULT_DOUBLE_FREE, false                                        \
	}
#define INSIDE(name)                                                                               \
	{                                                                                          \
#name, name, BHEAP_FAULT_NOT_A_BLOCK, false                                        \
	}
#define OUTSIDE(name)                                                                              \
	{                                                                                          \
#name, name, BHEAP_FAULT_NOT_A_BLOCK, true                                         \
	}
	TWICE(freed_at_once),
	TWICE(freed_large),
	TWICE(freed_into_the_top),
	TWICE(freed_before_another),
	TWICE(merged_left),
	TWICE(merged_right),
	TWICE(merged_on_both_sides),
	INSIDE(reused_at_another_boundary),
	TWICE(freed_when_aligned),
	TWICE(freed_and_trimmed),
	TWICE(in_the_victim),
	TWICE(moved_away_by_realloc),
	TWICE(cut_off_by_realloc),
	INSIDE(inside_by_a_byte),
	INSIDE(inside_by_a_word),
	INSIDE(inside_by_a_granule),
	INSIDE(inside_at_its_last_granule),
	INSIDE(inside_at_its_last_byte),
	INSIDE(inside_a_large_block),
	INSIDE(its_last_taken_byte),
	TWICE(inside_a_free_block),
	TWICE(misaligned_in_a_free_block),
	TWICE(one_past_before_free_memory),
	TWICE(where_no_block_was_yet),
	OUTSIDE(before_the_first),
	OUTSIDE(a_byte_before_the_first),
	OUTSIDE(a_page_before_the_first),
	OUTSIDE(at_the_end),
	OUTSIDE(behind_the_end),
	OUTSIDE(the_handle),
	OUTSIDE(in_the_bookkeeping),
	OUTSIDE(on_the_stack),
	OUTSIDE(static_memory),
	OUTSIDE(a_literal),
	OUTSIDE(a_function),
	OUTSIDE(of_malloc),
	OUTSIDE(another_heaps_block),
	OUTSIDE(another_heaps_free_block),
	OUTSIDE(eight),
	OUTSIDE(sixteen),
	OUTSIDE(minus_one),
	OUTSIDE(minus_sixteen),
	OUTSIDE(half_of_all),
	OUTSIDE(a_block_plus_64_gib),
	OUTSIDE(a_block_plus_4_gib),
	OUTSIDE(a_block_minus_64_gib),
	OUTSIDE(a_block_with_its_top_bit_turned),
};

#define ROWS ((int)(sizeof(rows) / sizeof(*rows)))

/* ---- calls ---- */

static void report_assert(struct fixture *fixture, int row, const void *ptr, unsigned before)
{
	size_t size = block_of(fixture, ptr).size;
	const struct bheap_fault *fault = &fixture->faults.last;
	char text[160], sizes[32] = "";

	if (size && rows[row].kind != BHEAP_FAULT_DOUBLE_FREE)
		snprintf(sizes, sizeof(sizes), " (%zu bytes)", size);
	snprintf(text, sizeof(text), "bheap: 0x%jx%s: %s", (uintmax_t)(uintptr_t)ptr, sizes,
		 rows[row].kind == BHEAP_FAULT_DOUBLE_FREE ? "the block is free already"
		 : rows[row].outside ? "not the start of a block: outside the heap"
				     : "not the start of a block: inside one");
	ck_assert_uint_eq(fixture->faults.count, before + 1);
	ck_assert_str_eq(fault->text, text);
	ck_assert_int_eq(fault->kind, rows[row].kind);
	ck_assert_ptr_eq(fault->heap, fixture->heap);
	ck_assert_ptr_eq(fault->address, ptr);
	ck_assert_uint_eq(fault->size, size);
	ck_assert_int_eq(!size, rows[row].outside);
}

static void frees_refuse(struct fixture *fixture, int row, const void *ptr)
{
	for (unsigned time = 0; time < 2; time++) {
		unsigned before = fixture->faults.count;

		errno = 0;
		ck_assert_int_eq(fixture_free(fixture, ptr), -1);
		ck_assert_errno(EINVAL);
		report_assert(fixture, row, ptr, before);
	}
}

static void resizes_refuse(struct fixture *fixture, int row, const void *ptr)
{
	static const size_t sizes[] = {0, 16, 5000, SIZE_MAX};

	for (int index = 0; index < 4; index++) {
		unsigned before = fixture->faults.count;

		errno = 0;
		ck_assert_ptr_null(
			bheap_realloc(fixture->heap, (void *)(uintptr_t)ptr, sizes[index]));
		ck_assert_errno(EINVAL);
		report_assert(fixture, row, ptr, before);
		errno = 0;
		ck_assert_ptr_null(bheap_aligned_realloc(fixture->heap, (void *)(uintptr_t)ptr, 64,
							 sizes[index]));
		ck_assert_errno(EINVAL);
		report_assert(fixture, row, ptr, before + 1);
		errno = 0;
		ck_assert_ptr_null(
			bheap_reallocarray(fixture->heap, (void *)(uintptr_t)ptr, 2, sizes[index]));
		ck_assert_errno(EINVAL);
		report_assert(fixture, row, ptr, before + 2);
		errno = 0;
		ck_assert_int_eq(bheap_resize(fixture->heap, (void *)(uintptr_t)ptr, sizes[index]),
				 -1);
		ck_assert_errno(EINVAL);
		if (sizes[index])
			report_assert(fixture, row, ptr, before + 3);
	}
}

static void questions_refuse(struct fixture *fixture, const void *ptr)
{
	unsigned before = fixture->faults.count;

	errno = 0;
	ck_assert_uint_eq(bheap_usable_size(fixture->heap, ptr), 0);
	ck_assert_errno(EINVAL);
	ck_assert(!bheap_owns(fixture->heap, ptr));
	ck_assert_uint_eq(fixture->faults.count, before);
}

START_TEST(wrong_pointers_are_refused)
{
	int row = _i % ROWS;
	struct fixture fixture;
	const void *ptr;

	printf("# %s, %s heap\n", rows[row].name, place_name(_i / ROWS));
	fflush(stdout);
	fixture_begin(&fixture, _i / ROWS);
	fixture_keep(&fixture, 100);
	ptr = rows[row].make(&fixture);
	frees_refuse(&fixture, row, ptr);
	resizes_refuse(&fixture, row, ptr);
	questions_refuse(&fixture, ptr);
	fixture_work(&fixture);
	frees_refuse(&fixture, row, ptr);
	fixture_end(&fixture);
}
END_TEST

/* The exception that nothing can tell: another block starts there now. */
START_TEST(a_stale_pointer_to_a_new_block_is_that_blocks)
{
	struct fixture fixture;
	const void *block;

	fixture_begin(&fixture, _i);
	block = freed_at_once(&fixture);
	ck_assert_ptr_eq(bheap_alloc(fixture.heap, 48), block);
	ck_assert_int_eq(fixture_free(&fixture, block), 0);
	ck_assert_uint_eq(fixture.faults.count, 0);
	fixture_work(&fixture);
	fixture_end(&fixture);
}
END_TEST

START_TEST(null_is_no_fault)
{
	struct fixture fixture;
	void *block;

	fixture_begin(&fixture, _i);
	errno = 0;
	ck_assert_int_eq(heap_free(fixture.heap, NULL), 0);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(classic_free(NULL), -1);
	ck_assert_errno(EINVAL);
	block = bheap_realloc(fixture.heap, NULL, 100);
	ck_assert_ptr_nonnull(block);
	questions_refuse(&fixture, NULL);
	ck_assert_uint_eq(fixture.faults.count, 0);
	fixture_work(&fixture);
	fixture_end(&fixture);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("pointers", &tcase, 20);

	tcase_add_unchecked_fixture(tcase, fixture_rehearse, NULL);
	tcase_add_loop_test(tcase, wrong_pointers_are_refused, 0, ROWS * PLACES);
	tcase_add_loop_test(tcase, a_stale_pointer_to_a_new_block_is_that_blocks, 0, PLACES);
	tcase_add_loop_test(tcase, null_is_no_fault, 0, PLACES);
	return suite_run(suite);
}
