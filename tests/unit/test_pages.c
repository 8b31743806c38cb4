/* SPDX-License-Identifier: MIT */
/*
 * test_pages.c - whole pages inside large freed blocks of guarded heaps: inaccessible until they
 * are handed out, and never in the way of the library itself. (tests/contract/test_random.c has
 * random operations on such blocks.)
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle/enter.h"
#include "handle/pages.h"

#define KIB ((size_t)1024)
#define SIZE (4096 * KIB)
#define TRAILER BHEAP_ALIGNMENT

static bheap_t *heap;
static struct faults faults;
static size_t page;

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
	heap = bheap_create(SIZE, BHEAP_GUARD);
	ck_assert_ptr_nonnull(heap);
	faults = (struct faults){0};
	bheap_set_fault_handler(heap, faults_record, &faults);
}

static void teardown(void)
{
	ck_assert_uint_eq(faults.count, 0);
	heap_empty(heap);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

static char *block_of(size_t size)
{
	char *block = bheap_alloc(heap, size);

	ck_assert_ptr_nonnull(block);
	return memset(block, 0x11, size);
}

static void free_good(const void *block)
{
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}

/* A block between live ones, freed. */
static char *freed_of(size_t size)
{
	char *block;

	block_of(16);
	block = block_of(size);
	block_of(16);
	free_good(block);
	return block;
}

static bool is_closed(const char *at)
{
	return !strcmp(protection_of(at), "---p");
}

/* ---- what is closed ---- */

struct access {
	volatile char *at;
	bool write;
};

static int access_make(void *arg)
{
	const struct access *access = arg;

	if (access->write)
		*access->at = 1;
	return *access->at == 2 ? 1 : 0;
}

/* At every page but for the first, which may hold the links, and the last. */
START_TEST(an_access_after_free_ends_the_program)
{
	size_t size = 128 * KIB + (size_t)(_i / 2) * 1000;
	char *block = freed_of(size);
	struct child child;

	for (size_t at = page; at + page <= size; at += 13 * page) {
		struct access access = {block + at, _i % 2};

		child_run(&child, access_make, &access);
		child_assert_killed(&child, SIGSEGV);
	}
}
END_TEST

START_TEST(smaller_blocks_are_filled)
{
	char *block = freed_of(128 * KIB - 2 * TRAILER);

	for (size_t at = 0; at < 128 * KIB - 2 * TRAILER; at += page)
		ck_assert(!is_closed(block + at));
}
END_TEST

/* Nor is anything in other kinds of heaps. */
START_TEST(other_heaps_close_nothing)
{
	static char buffer[1024 * 1024];
	bheap_t *other =
		_i ? bheap_create(SIZE, 0) : bheap_create_in(buffer, sizeof(buffer), BHEAP_GUARD);
	char *block = bheap_alloc(other, 500 * KIB);

	ck_assert_int_eq(heap_free(other, block), 0);
	ck_assert(!is_closed(block + 250 * KIB));
	ck_assert_int_eq(bheap_destroy(other), 0);
}
END_TEST

/* The page of which a block lies in a part stays open for the other blocks there. */
START_TEST(neighbours_are_accessible)
{
	char *block = freed_of(200 * KIB + 100);

	memset(block - TRAILER - 16, 0x22, 16);
	memset(block + bh_bytes(bh_granules(200 * KIB + 100)) + TRAILER, 0x22, 16);
	ck_assert(is_closed(block + 100 * KIB));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* ---- handed out again ---- */

static char *cut(char *block, int way, size_t size)
{
	switch (way) {
	case 0: return bheap_alloc(heap, size);
	case 1: return bheap_calloc(heap, 1, size);
	case 2: return bheap_aligned_alloc(heap, 65536, size);
	default: return bheap_realloc(heap, block - TRAILER - 16, size + 16 + TRAILER);
	}
}

/* From the front, or out of the middle, by a little and by much; the rest remains closed. */
START_TEST(handed_out_in_part)
{
	static const size_t sizes[] = {1,        100,       2000,      4095,      5000,
				       70 * KIB, 130 * KIB, 300 * KIB, 399 * KIB, 400 * KIB};
	size_t size = sizes[_i / 4];
	char *block = freed_of(400 * KIB), *got;

	got = cut(block, _i % 4, size);
	if (!got || got + size > block + 420 * KIB)
		return;
	memset(got, 0x33, size);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	if (got + size + 3 * page < block + 400 * KIB)
		ck_assert(is_closed(got + size + 2 * page));
	ck_assert_int_eq(heap_free(heap, got), 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_ptr_nonnull(block_of(400 * KIB));
}
END_TEST

/* A node may be written there. */
static int first_is_open(const struct bheap_block *block, void *arg)
{
	(void)arg;
	require(block->used ||
		!bh_pages_is_closed(heap, bh_core_granule(&heap->core, block->address)));
	return 0;
}

/* Piece by piece, until nothing is closed: each piece may be written to the last byte. */
START_TEST(handed_out_piece_by_piece)
{
	char *block = freed_of(300 * KIB), *piece;
	size_t size = (size_t[]){16, 1000, 3000, 20000}[_i];
	unsigned looked_at = _i ? 1 : 50, count = 0;

	for (piece = block_of(size); piece >= block && piece < block + 300 * KIB;
	     piece = block_of(size)) {
		if (count++ % looked_at)
			continue;
		require(!bheap_check(heap, NULL));
		require(!bheap_walk(heap, first_is_open, NULL));
	}
}
END_TEST

/* A free block that ends with a page is closed to its end. */
START_TEST(handed_out_up_to_a_closed_page)
{
	char *first = block_of(16), *block, *again;
	size_t begin = (size_t)(first + 32 - (char *)bh_core_start(&heap->core)), size;

	size = 300 * KIB - begin % page - TRAILER;
	block = block_of(size);
	ck_assert_ptr_eq(block, first + 32);
	block_of(16);
	free_good(block);
	ck_assert(bh_pages_is_closed(heap, bh_core_granule(&heap->core, block + size) - 1));
	again = block_of(size);
	ck_assert_ptr_eq(again, block);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	free_good(again);
}
END_TEST

START_TEST(less_than_a_page_stays_open)
{
	uint32_t from = bh_pages_first(heap, 1000) + 1, to = from + 10;

	ck_assert(!bh_pages_close(heap, &from, &to));
	ck_assert(!bh_pages_is_closed(heap, from));
}
END_TEST

/* The last one into those after it, too. */
START_TEST(a_block_slides_over_closed_pages)
{
	size_t size = (size_t[]){690, 450, 900}[_i] * KIB;
	char *previous = block_of(300 * KIB), *block = block_of(400 * KIB);
	char *next = block_of(300 * KIB), *moved;

	while (bheap_alloc(heap, 64 * KIB))
		;
	while (bheap_alloc(heap, 1))
		;
	free_good(previous);
	if (_i == 2)
		free_good(next);
	moved = bheap_realloc(heap, block, size);
	ck_assert_ptr_eq(moved, previous);
	for (size_t at = 0; at < 400 * KIB; at++)
		require(moved[at] == 0x11);
	memset(moved, 0x22, size);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* ---- what was never in use ---- */

#define MIB (1024 * KIB)

START_TEST(what_was_never_in_use_is_closed)
{
	char *block = block_of(100);
	struct access access = {block + MIB + page, _i};
	struct child child;

	ck_assert(!is_closed(block + MIB - page));
	ck_assert(is_closed(block + SIZE - page));
	child_run(&child, access_make, &access);
	child_assert_killed(&child, SIGSEGV);
}
END_TEST

/* There is always a page behind what is handed out, and far behind none. */
START_TEST(as_much_as_is_needed_is_opened)
{
	bheap_t *large = bheap_create(64 * MIB, BHEAP_GUARD);
	char *start = bh_core_start(&large->core), *block;
	size_t size = (size_t[]){30 * KIB, 70 * KIB, MIB - 16, MIB, 8 * MIB, 40 * MIB}[_i];

	block = bheap_alloc(large, size);
	while (block && block + size < start + 48 * MIB) {
		ck_assert(!is_closed(block + size + 32));
		ck_assert(is_closed(block + size + (block + size - start) / 8 + MIB + 2 * page));
		block = bheap_alloc(large, size);
	}
	ck_assert_int_eq(bheap_check(large, NULL), 0);
	ck_assert_int_eq(bheap_destroy(large), 0);
}
END_TEST

/* A MiB at once, so that small blocks take few system calls. */
START_TEST(more_than_is_needed_is_opened)
{
	char *block = block_of(MIB + 100 * KIB);

	ck_assert(!is_closed(block + MIB + 100 * KIB + MIB - 2 * page));
}
END_TEST

static char *grown(char *block, int way, size_t size)
{
	switch (way) {
	case 0: return bheap_realloc(heap, block, size);
	case 1: return bheap_resize(heap, block, size) ? NULL : block;
	case 2: return bheap_aligned_alloc(heap, 4096, size);
	case 3: return bheap_alloc(heap, size);
	default: return bheap_calloc(heap, 1, size);
	}
}

/* In one step, or by a few; each byte may be written to. */
START_TEST(up_to_the_end)
{
	size_t last = SIZE - TRAILER - 64 - 2 * 4096, step = (_i / 5 ? 300 : 4000) * KIB;
	char *block = block_of(16);

	for (size_t size = step; size < last; size += step) {
		block = grown(block, _i % 5, _i % 5 < 2 ? size : step);
		if (!block)
			break;
		memset(block, 0x22, _i % 5 < 2 ? size : step);
	}
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	while ((block = bheap_alloc(heap, 16)))
		memset(block, 0x22, 16);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

START_TEST(a_block_slides_up_to_the_end)
{
	char *previous = block_of(300 * KIB), *block = block_of(400 * KIB), *moved;

	free_good(previous);
	moved = bheap_realloc(heap, block, SIZE - TRAILER);
	ck_assert_ptr_eq(moved, previous);
	memset(moved, 0x22, SIZE - TRAILER);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

/* To open it takes a system call. */
START_TEST(with_bounded_time_all_is_open)
{
	bheap_t *other = bheap_create(SIZE, BHEAP_GUARD | BHEAP_REALTIME);

	ck_assert(!is_closed((char *)bh_core_start(&other->core) + SIZE - page));
	ck_assert_int_eq(bheap_destroy(other), 0);
}
END_TEST

/* In front of a large heap as much is closed, of which the bookkeeping is no part. */
START_TEST(before_the_first_block)
{
	bheap_t *large = bheap_create(_i ? 16 * MIB - page : 16 * MIB, BHEAP_GUARD);
	char *block = bheap_alloc(large, 100);
	struct access access = {block - MIB, true};
	struct child child;

	ck_assert(is_closed(block - 1));
	ck_assert(is_closed(block - page - 1) == !_i);
	if (!_i) {
		child_run(&child, access_make, &access);
		child_assert_killed(&child, SIGSEGV);
		ck_assert(is_closed(block - MIB - page));
		ck_assert(!is_closed(block - MIB - page - 1));
	}
	ck_assert_int_eq(bheap_check(large, NULL), 0);
	ck_assert_int_eq(bheap_destroy(large), 0);
}
END_TEST

/* ---- operations on heaps with closed pages ---- */

static int block_count(const struct bheap_block *block, void *arg)
{
	*(size_t *)arg += block->size;
	return 0;
}

START_TEST(looks_and_trim)
{
	char *block = freed_of(1000 * KIB);
	FILE *nowhere = fopen("/dev/null", "we");
	size_t sum = 0;

	ck_assert_int_eq(bheap_walk(heap, block_count, &sum), 0);
	ck_assert_uint_eq(sum, SIZE);
	ck_assert_int_eq(bheap_display(heap, nowhere), 0);
	fclose(nowhere);
	ck_assert_uint_ge(bheap_trim(heap), 990 * KIB);
	ck_assert(is_closed(block + 500 * KIB));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	errno = 0;
	memset(block_of(1000 * KIB), 0x22, 1000 * KIB);
	ck_assert_int_eq(errno, 0);
}
END_TEST

/* Every free block gets a node anew. */
START_TEST(a_rebuilt_index)
{
	char *block = freed_of(300 * KIB);

	memory_scribble(block, "written", 8);
	ck_assert_ptr_eq(bheap_alloc(heap, 300 * KIB), block);
	ck_assert_uint_eq(faults.count, 1);
	faults.count = 0;
	memset(block, 0x22, 300 * KIB);
}
END_TEST

static void *lock_and_wait(void *arg)
{
	struct bh_call call;

	ck_assert(bh_enter_to_change(&call, heap));
	/* As an allocation that has marked its block and the rest of it, and no more. */
	bh_map_set_start(&heap->core.map, bh_core_granule(&heap->core, *(char **)arg) + 4000,
			 bh_core_granule(&heap->core, *(char **)arg),
			 bh_map_next(&heap->core.map, bh_core_granule(&heap->core, *(char **)arg)));
	bh_map_set_used(&heap->core.map, bh_core_granule(&heap->core, *(char **)arg));
	__atomic_store_n((char **)arg, NULL, __ATOMIC_RELEASE);
	pause();
	return NULL;
}

START_TEST(a_torn_copy_is_recovered)
{
	char *block = freed_of(300 * KIB);
	char *inside = block;
	pthread_t thread;
	int status;

	ck_assert_int_eq(pthread_create(&thread, NULL, lock_and_wait, &inside), 0);
	while (__atomic_load_n(&inside, __ATOMIC_ACQUIRE))
		usleep(1000);
	leaks_ignore();
	if (!fork()) {
		if (bheap_check(heap, NULL) || faults.last.kind != BHEAP_FAULT_RECOVERED)
			child_exit(1);
		memset(block_of(200 * KIB), 0x22, 200 * KIB);
		memset(block_of(3 * MIB), 0x22, 3 * MIB);
		child_exit(bheap_check(heap, NULL) ? 2 : 0);
	}
	wait(&status);
	ck_assert_int_eq(status, 0);
	child_exit(0);
}
END_TEST

START_TEST(a_forked_copy_is_closed_too)
{
	char *block = freed_of(300 * KIB);
	int status;

	if (!fork()) {
		memset(block_of(300 * KIB), 0x22, 300 * KIB);
		child_exit(bheap_check(heap, NULL) || is_closed(block + 100 * KIB));
	}
	wait(&status);
	ck_assert_int_eq(status, 0);
	ck_assert(is_closed(block + 100 * KIB));
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite;

	/* The tools see each access by themselves: no page is closed. */
	if (is_watched()) {
		puts("1..0 # SKIP a tool watches");
		return 0;
	}
	suite = suite_of("pages", &tcase, 30);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, an_access_after_free_ends_the_program, 0, 6);
	tcase_add_test(tcase, smaller_blocks_are_filled);
	tcase_add_loop_test(tcase, other_heaps_close_nothing, 0, 2);
	tcase_add_test(tcase, neighbours_are_accessible);
	tcase_add_loop_test(tcase, handed_out_in_part, 0, 40);
	tcase_add_loop_test(tcase, handed_out_piece_by_piece, 0, 4);
	tcase_add_test(tcase, handed_out_up_to_a_closed_page);
	tcase_add_test(tcase, less_than_a_page_stays_open);
	tcase_add_loop_test(tcase, a_block_slides_over_closed_pages, 0, 3);
	tcase_add_loop_test(tcase, what_was_never_in_use_is_closed, 0, 2);
	tcase_add_loop_test(tcase, as_much_as_is_needed_is_opened, 0, 6);
	tcase_add_test(tcase, more_than_is_needed_is_opened);
	tcase_add_loop_test(tcase, up_to_the_end, 0, 10);
	tcase_add_test(tcase, a_block_slides_up_to_the_end);
	tcase_add_test(tcase, with_bounded_time_all_is_open);
	tcase_add_loop_test(tcase, before_the_first_block, 0, 2);
	tcase_add_test(tcase, looks_and_trim);
	tcase_add_test(tcase, a_rebuilt_index);
	tcase_add_test(tcase, a_torn_copy_is_recovered);
	tcase_add_test(tcase, a_forked_copy_is_closed_too);
	return suite_run(suite);
}
