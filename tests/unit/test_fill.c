/* SPDX-License-Identifier: MIT */
/*
 * test_fill.c - freed memory of guarded private heaps: a write to it is found, at any byte,
 * wherever it lies; nothing else is reported; and what was never freed is never touched.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle/fill.h"
#include "handle/enter.h"
#include "handle/handle.h"

#define SIZE ((size_t)64 * 1024)
#define GRANULE BHEAP_ALIGNMENT
#define TRAILER BHEAP_ALIGNMENT

static bheap_t *heap;
static struct faults faults;

static void setup(void)
{
	heap = bheap_create(SIZE, BHEAP_GUARD);
	ck_assert_ptr_nonnull(heap);
	faults = (struct faults){0};
	bheap_set_fault_handler(heap, faults_record, &faults);
}

static void teardown(void)
{
	struct bheap_fault fault;

	ck_assert_msg(!bheap_check(heap, &fault), "%s", fault.text);
	heap_empty(heap);
	ck_assert_msg(!bheap_check(heap, &fault), "%s", fault.text);
	bheap_destroy(heap);
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
}

static void scribble(const char *at)
{
	memory_scribble((char *)(uintptr_t)at, "\x5a", 1);
}

/* One fault was heard of, of this block and byte, and of no other. */
static void expect(const void *block, size_t size, const void *at)
{
	char text[160];

	snprintf(text, sizeof(text), "bheap: 0x%jx: written to after free at +%td",
		 (uintmax_t)(uintptr_t)block, (const char *)at - (const char *)block);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_WRITTEN_FREE);
	ck_assert_str_eq(faults.last.text, text);
	ck_assert_ptr_eq(faults.last.address, block);
	ck_assert_uint_eq(faults.last.size, size);
	faults.count = 0;
}

static void check_finds(const void *block, size_t size, const void *at)
{
	ck_assert_int_eq(bheap_check(heap, &faults.last), -1);
	ck_assert_errno(EUCLEAN);
	ck_assert_uint_eq(faults.count, 0);
	faults.count = 1;
	expect(block, size, at);
}

/* ---- any byte, anywhere ---- */

/* In a bin: all but the links, which the index looks at. */
START_TEST(a_byte_of_a_block_in_a_bin)
{
	char *block = block_of(48), *fence = block_of(16);

	free_good(block);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	for (size_t at = 8; at < 48 + TRAILER; at++) {
		scribble(block + at);
		check_finds(block, 48 + TRAILER, block + at);
		ck_assert_ptr_eq(bheap_alloc(heap, 48), block);
		expect(block, 48 + TRAILER, block + at);
		free_good(block);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
	}
	ck_assert_uint_eq(faults.count, 0);
	free_good(fence);
}
END_TEST

/* The top has no links: each of its bytes is looked at. */
START_TEST(a_byte_of_the_top)
{
	char *block = block_of(48);

	free_good(block);
	for (size_t at = 0; at < 48 + TRAILER; at++) {
		scribble(block + at);
		check_finds(block, SIZE, block + at);
		ck_assert_ptr_eq(bheap_alloc(heap, 48), block);
		expect(block, 48 + TRAILER, block + at);
		free_good(block);
	}
}
END_TEST

/* Nor has the victim: what is left of a split. */
START_TEST(a_byte_of_the_victim)
{
	char *large = block_of(2000), *fence = block_of(16), *block;

	for (size_t at = 0; at < 64; at++) {
		free_good(large);
		block = block_of(48);
		ck_assert_ptr_eq(block, large);
		scribble(block + 48 + TRAILER + at);
		check_finds(block + 48 + TRAILER, 2000 - 48, block + 48 + TRAILER + at);
		large = block_of(48);
		ck_assert_ptr_eq(large, block + 48 + TRAILER);
		expect(large, 48 + TRAILER, large + at);
		free_good(block);
		free_good(large);
		large = block;
		ck_assert_ptr_eq(block_of(2000), large);
	}
	ck_assert_uint_eq(faults.count, 0);
	free_good(fence);
}
END_TEST

/* A victim that grows downward, and then is one with the end. */
START_TEST(where_blocks_were_merged)
{
	char *blocks[6];

	for (size_t middle = 0; middle < 3; middle++) {
		for (int index = 0; index < 6; index++)
			blocks[index] = block_of(index == 5 ? 16 : 48);
		free_good(blocks[1]);
		free_good(blocks[3]);
		free_good(blocks[2]);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
		scribble(blocks[middle + 1] + (middle ? 0 : 8));
		check_finds(blocks[1], 3 * (48 + TRAILER), blocks[middle + 1] + (middle ? 0 : 8));
		ck_assert_ptr_eq(bheap_alloc(heap, 3 * (48 + TRAILER) - TRAILER), blocks[1]);
		expect(blocks[1], 3 * (48 + TRAILER), blocks[middle + 1] + (middle ? 0 : 8));
		heap_empty(heap);
	}
}
END_TEST

/* ---- met on the way ---- */

/* The second half of a node, of a block on either side of one that is freed. */
START_TEST(written_beside_a_block_that_is_freed)
{
	char *left = block_of(48), *block = block_of(48), *right = block_of(48),
	     *fence = block_of(16);
	char *wrong = _i ? right : left;

	free_good(left);
	free_good(right);
	scribble(wrong + 8);
	free_good(block);
	expect(wrong, 48 + TRAILER, wrong + 8);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	free_good(fence);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* The size of a large block is looked at too; made anew by the merge, it is right again. */
/* Past its trailer, where no block was yet: by an allocation, a resize, a block cut out. */
START_TEST(written_right_behind_the_last_block)
{
	size_t size = _i < 32 ? 100 : 3000, rest;
	char *block = _i / 16 == 1 ? bheap_realloc(heap, block_of(48), size)
				   : bheap_aligned_alloc(heap, 64, size);
	char *end = block + bh_bytes(bh_granules(size)) + TRAILER;

	ck_assert_ptr_nonnull(block);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	rest = SIZE - (size_t)(end - (char *)bh_core_start(&heap->core));
	scribble(end + _i % 16);
	check_finds(end, rest, end + _i % 16);
	free_good(block);
	expect(end, rest, end + _i % 16);
}
END_TEST

START_TEST(the_size_of_a_large_block)
{
	char *large = block_of(4096), *block = block_of(48), *fence = block_of(16);

	free_good(large);
	scribble(large + 8 + _i);
	free_good(block);
	expect(large, 4096 + TRAILER, (size_t)_i < 8 ? large + 8 : NULL);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	free_good(fence);
}
END_TEST

START_TEST(written_where_a_block_grows)
{
	char *block = block_of(48), *next = block_of(480), *fence = block_of(16);

	free_good(next);
	scribble(next + (_i ? 8 : 30));
	ck_assert_ptr_eq(bheap_realloc(heap, block, 100), block);
	if (_i)
		expect(next, 480 + TRAILER, next + 8);
	else
		expect(next, 64, next + 30);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	free_good(fence);
}
END_TEST

START_TEST(written_where_a_block_shrank)
{
	char *block = block_of(480), *next = block_of(48), *fence = block_of(16);

	if (_i)
		free_good(next);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 48), block);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	scribble(block + 100);
	check_finds(block + 48 + TRAILER, _i ? 480 + TRAILER : 480 - 48, block + 100);
	ck_assert_ptr_eq(bheap_alloc(heap, 48), _i ? block + 64 : block + 64);
	expect(block + 64, 64, block + 100);
	free_good(fence);
}
END_TEST

/* A granule is all that is left: a node of a bin, and nothing after it. */
START_TEST(written_where_a_block_shrank_by_a_granule)
{
	char *block = block_of(64), *fence = block_of(16);

	ck_assert_ptr_eq(bheap_realloc(heap, block, 48), block);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	scribble(block + 48 + TRAILER + 8);
	check_finds(block + 48 + TRAILER, GRANULE, block + 48 + TRAILER + 8);
	free_good(fence);
}
END_TEST

/* Down over the free block before it; what it leaves is filled. */
START_TEST(written_where_a_block_slides)
{
	static const size_t sizes[] = {30000, 38000, 59040};
	char *previous = block_of(20000), *block = block_of(24000), *next = block_of(16000);
	char *end = next + (_i == 2 ? 16000 + TRAILER : 0), *rest;
	size_t size = sizes[_i];

	while (bheap_alloc(heap, 16))
		;
	free_good(previous);
	if (_i == 2)
		free_good(next);
	scribble(previous + 100);
	ck_assert_ptr_eq(bheap_realloc(heap, block, size), previous);
	expect(previous, 20000 + TRAILER, previous + 100);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	rest = previous + size + TRAILER;
	scribble(end - 100);
	check_finds(rest, (size_t)(end - rest), end - 100);
	ck_assert_ptr_eq(bheap_alloc(heap, (size_t)(end - rest) - TRAILER), rest);
	expect(rest, (size_t)(end - rest), end - 100);
}
END_TEST

START_TEST(written_where_an_aligned_block_is_cut_out)
{
	char *first = block_of(16), *large = block_of(3000), *fence = block_of(16), *block;

	free_good(large);
	scribble(large + 1500);
	block = bheap_aligned_alloc(heap, 1024, 600);
	ck_assert(block > large && block <= large + 1500 && large + 1500 < block + 600);
	expect(block, 608 + TRAILER, large + 1500);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	free_good(block);
	free_good(first);
	free_good(fence);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* ---- what is left alone ---- */

/* Pages that a range has in memory. */
static size_t resident(const void *start, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = ((uintptr_t)start + page - 1) / page * page;
	size_t count = ((uintptr_t)start + size - first) / page, found = 0;
	unsigned char *pages = calloc(count + 1, 1);

	ck_assert_int_eq(mincore((void *)first, count * page, pages), 0);
	for (size_t index = 0; index < count; index++)
		found += pages[index] & 1;
	free(pages);
	return found;
}

START_TEST(memory_never_touched_stays_so)
{
	bheap_t *large = bheap_create((size_t)1 << 30, BHEAP_GUARD);
	char *aligned = bheap_aligned_alloc(large, (size_t)1 << 24, 100);
	char *block = bheap_alloc(large, (size_t)1 << 28), *fence = bheap_alloc(large, 16);
	size_t limit = (size_t)BH_FILL_MAX * GRANULE / 4096 + 8;

	if (is_emulated()) /* it cannot say what is resident of closed pages */
		return;
	ck_assert(aligned && block && fence);
	ck_assert_int_eq(heap_free(large, block), 0);
	ck_assert_uint_le(resident(block, (size_t)1 << 28), limit);
	ck_assert_int_eq(heap_free(large, aligned), 0);
	ck_assert_int_eq(heap_free(large, fence), 0);
	ck_assert_uint_le(resident(bheap_pointer(large, GRANULE), (size_t)1 << 30), 2 * limit);
	ck_assert_int_eq(bheap_check(large, NULL), 0);
	bheap_destroy(large);
}
END_TEST

/*
 * The free memory after a block that was never in use stays as it is when they are merged, but for
 * its first granule.
 */
START_TEST(memory_behind_is_not_touched)
{
	char *block = block_of(GRANULE);
	const volatile char *next = block + GRANULE + TRAILER + GRANULE;

	if (is_watched())
		return; /* a tool would report the look */
	free_good(block);
	ck_assert_int_eq(*next, 0);
}
END_TEST

/* Its last granule is the first of a word of the map, for one of the pads. */
START_TEST(the_last_byte_wherever_words_begin)
{
	char *pad = block_of((size_t)(_i + 1) * GRANULE), *block = block_of(2 * GRANULE),
	     *fence = block_of(1);
	char *last = block + 2 * GRANULE + TRAILER - 1;

	free_good(block);
	scribble(last);
	ck_assert_int_eq(bheap_check(heap, &faults.last), -1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_WRITTEN_FREE);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 2 * GRANULE));
	ck_assert_uint_eq(faults.count, 1);
	ck_assert(pad && fence);
}
END_TEST

/* Only the first part of a large block is filled. */
START_TEST(so_much_is_filled)
{
	size_t limit = (size_t)BH_FILL_MAX * GRANULE;
	bheap_t *large = bheap_create(4 * limit, BHEAP_GUARD);
	char *block = bheap_alloc(large, limit + limit / 2);

	ck_assert_int_eq(heap_free(large, block), 0);
	scribble(block + limit);
	ck_assert_int_eq(bheap_check(large, NULL), 0);
	scribble(block + limit - 1);
	ck_assert_int_eq(bheap_check(large, &faults.last), -1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_WRITTEN_FREE);
	bheap_destroy(large);
}
END_TEST

/* What is taken is not known to be filled any more: freed again, no more than its first part is. */
START_TEST(a_taken_block_is_forgotten)
{
	size_t limit = (size_t)BH_FILL_MAX * GRANULE;
	bheap_t *large = bheap_create(8 * limit, BHEAP_GUARD);
	char *previous = bheap_alloc(large, limit), *next = bheap_alloc(large, limit);
	char *fence = bheap_alloc(large, 16), *both;

	ck_assert_int_eq(heap_free(large, next), 0);
	ck_assert_int_eq(heap_free(large, previous), 0);
	both = bheap_alloc(large, 2 * limit);
	ck_assert_ptr_eq(both, previous);
	memset(both, 0x11, 2 * limit);
	ck_assert_int_eq(heap_free(large, both), 0);
	ck_assert_int_eq(bheap_check(large, NULL), 0);
	ck_assert_int_eq(heap_free(large, fence), 0);
	bheap_destroy(large);
}
END_TEST

/* No granule more, and none less, at the ends of words and within. */
START_TEST(a_range_is_forgotten)
{
	static const uint32_t ends[] = {1,   2,   62,  63,  64,  65,  66,
					126, 127, 128, 129, 191, 192, 193};
	const int count = sizeof(ends) / sizeof(*ends);

	for (int from = 0; from < count; from++)
		for (int to = from + 1; to < count; to++) {
			memset(heap->filled, 0xff, 5 * sizeof(uint64_t));
			bh_fill_forget(heap, ends[from], ends[to]);
			for (uint32_t granule = 0; granule < 320; granule++)
				require_equal(heap->filled[granule >> 6] >> (granule & 63) & 1,
					      granule < ends[from] || granule >= ends[to]);
		}
	memset(heap->filled, 0, 5 * sizeof(uint64_t));
}
END_TEST

/* They read as zeros, which is no write; anything else is one, wherever it lies. */
START_TEST(pages_given_back_are_watched)
{
	static const size_t places[] = {16, 4095, 20000, 39999};
	size_t at = places[_i];
	char *block = block_of(40000), *again;

	free_good(block);
	ck_assert_uint_gt(bheap_trim(heap), 0);
	ck_assert_uint_gt(bheap_trim(heap), 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	again = block_of(40000);
	ck_assert_ptr_eq(again, block);
	free_good(again);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_trim(heap);
	ck_assert_uint_eq(faults.count, 0);
	scribble(block + at);
	check_finds(block, SIZE, block + at);
	again = bheap_alloc(heap, 40000);
	expect(again, 40000 + TRAILER, block + at);
}
END_TEST

/* What is left of a page of which a part is handed out is filled again, and looked at before. */
START_TEST(part_of_a_page_given_back)
{
	char *previous = block_of(16), *block = block_of(40000), *fence = block_of(16), *cut, *rest;
	size_t size = (size_t)(_i / 2 + 1) * 1008 - TRAILER;

	free_good(block);
	bheap_trim(heap);
	if (_i % 2)
		scribble(block + 20000);
	cut = _i / 2 % 2 ? bheap_aligned_alloc(heap, 4096, size) : bheap_alloc(heap, size);
	ck_assert(cut && cut >= block && cut < block + 20000);
	rest = cut + size + TRAILER;
	ck_assert_uint_eq(faults.count, 0);
	if (_i % 2)
		check_finds(rest, (size_t)(block + 40000 + TRAILER - rest), block + 20000);
	else
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
	scribble(rest + 100);
	check_finds(rest, (size_t)(block + 40000 + TRAILER - rest), rest + 100);
	free_good(cut);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_ptr_eq(bheap_alloc(heap, 40000), block);
	expect(block, 40000 + TRAILER, rest + 100);
	free_good(previous);
	free_good(fence);
}
END_TEST

/* In the page of which the first part is handed out: reported then, for it is filled again. */
START_TEST(written_next_to_what_is_handed_out)
{
	char *block = block_of(40000), *fence = block_of(16), *cut;

	free_good(block);
	bheap_trim(heap);
	scribble(block + 4096 + 2000);
	cut = bheap_alloc(heap, 5000);
	ck_assert_ptr_eq(cut, block);
	expect(block + 5008 + TRAILER, 40000 - 5008, block + 4096 + 2000);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	free_good(fence);
	free_good(cut);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* The system lets go of the pages before one that is locked, and then refuses. */
START_TEST(pages_that_could_not_be_given_back_are_watched)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), size = 8 * page;
	bheap_t *large = bheap_create(2 * size, BHEAP_GUARD);
	char *block = bheap_alloc(large, size), *at = block + (size_t)(2 * _i + 1) * page + 100;

	/* Under sanitizers mlock(2) locks nothing. */
	if (!is_watched() && !mlock(block + 4 * page, page)) {
		heap_free(large, block);
		ck_assert_uint_eq(bheap_trim(large), 0);
		ck_assert_int_eq(bheap_check(large, NULL), 0);
		scribble(at);
		ck_assert_int_eq(bheap_check(large, &faults.last), -1);
		ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_WRITTEN_FREE);
	}
	bheap_destroy(large);
}
END_TEST

/* A slide that meets damage of which the heap cannot be cured moves nothing. */
START_TEST(a_refused_slide_ends_no_watch)
{
	char *previous = block_of(20000), *block = block_of(24000), *again;

	while (bheap_alloc(heap, 16))
		;
	free_good(previous);
	scribble(previous);
	heap->core.control->used++; /* no index is made from a map that disagrees */
	ck_assert_ptr_null(bheap_realloc(heap, block, 30000));
	heap->core.control->used--;
	faults.count = 0;
	scribble(previous + 100);
	again = bheap_alloc(heap, 20000);
	ck_assert_ptr_eq(again, previous);
	ck_assert_uint_eq(faults.count, 2);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_WRITTEN_FREE);
}
END_TEST

/* Without guards there is no pattern. */
START_TEST(plain_heaps_are_not_filled)
{
	bheap_t *plain = bheap_create(SIZE, 0);
	char *block = bheap_alloc(plain, 48);

	memset(block, 0x11, 48);
	ck_assert_int_eq(heap_free(plain, block), 0);
	scribble(block + 30);
	ck_assert_int_eq(bheap_check(plain, NULL), 0);
	bheap_destroy(plain);
}
END_TEST

/* ---- a copy taken by fork inside an operation ---- */

static void *lock_and_wait(void *arg)
{
	struct bh_call call;

	ck_assert(bh_enter_to_change(&call, heap));
	*(atomic_int *)arg = 1;
	pause();
	return NULL;
}

START_TEST(a_torn_copy_reports_nothing)
{
	char *block = block_of(48), *other = block_of(480), *fence = block_of(16);
	atomic_int inside = 0;
	pthread_t thread;
	int status;

	free_good(block);
	free_good(other);
	scribble(other + 100);
	ck_assert_int_eq(pthread_create(&thread, NULL, lock_and_wait, &inside), 0);
	while (!inside)
		usleep(1000);
	leaks_ignore();
	if (!fork()) {
		/* The rebuild, and then nothing but what happens from now on. */
		if (bheap_check(heap, NULL) || faults.last.kind != BHEAP_FAULT_RECOVERED)
			child_exit(1);
		heap_free(heap, fence);
		scribble(fence + 8);
		child_exit(bheap_check(heap, NULL) ? 0 : 2);
	}
	wait(&status);
	ck_assert_int_eq(status, 0);
	child_exit(0);
}
END_TEST

/* ---- random ---- */

/* Guarded heaps full of merges and splits: valid use is never reported. */
START_TEST(valid_use_is_never_reported)
{
	static _Alignas(16) char buffer[20000];
	char *blocks[100] = {NULL};
	uint64_t random = (uint64_t)_i + 1;
	bheap_t *other = _i % 2 ? bheap_create(_i % 4 == 1 ? 20000 : 100000, BHEAP_GUARD)
				: bheap_create_in(buffer, sizeof(buffer), BHEAP_GUARD);

	bheap_set_fault_handler(other, faults_record, &faults);
	for (unsigned step = 0; step < 5000; step++) {
		char **block = &blocks[random_below(&random, 100)];
		size_t size = random_below(&random, step % 8 ? 150 : _i % 4 == 3 ? 30000 : 6000);
		uint64_t choice = random_below(&random, 8);

		if (*block && choice < 6) {
			heap_free(other, *block);
			*block = NULL;
		} else {
			char *made = choice   ? bheap_realloc(other, *block, size)
				     : *block ? NULL
					      : bheap_aligned_alloc(other, 256, size);

			*block = made ? memset(made, (int)step, size) : *block;
		}
		if (random_below(&random, _i < 4 ? 250 : 5) == 0)
			bheap_trim(other);
		require(!bheap_check(other, &faults.last));
	}
	require_equal(faults.count, 0);
	bheap_destroy(other);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("fill", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_byte_of_a_block_in_a_bin);
	tcase_add_test(tcase, a_byte_of_the_top);
	tcase_add_test(tcase, a_byte_of_the_victim);
	tcase_add_test(tcase, where_blocks_were_merged);
	tcase_add_loop_test(tcase, written_beside_a_block_that_is_freed, 0, 2);
	tcase_add_loop_test(tcase, written_right_behind_the_last_block, 0, 48);
	tcase_add_loop_test(tcase, the_size_of_a_large_block, 0, 8);
	tcase_add_loop_test(tcase, written_where_a_block_grows, 0, 2);
	tcase_add_loop_test(tcase, written_where_a_block_shrank, 0, 2);
	tcase_add_test(tcase, written_where_a_block_shrank_by_a_granule);
	tcase_add_loop_test(tcase, written_where_a_block_slides, 0, 3);
	tcase_add_test(tcase, written_where_an_aligned_block_is_cut_out);
	tcase_add_test(tcase, memory_never_touched_stays_so);
	tcase_add_test(tcase, memory_behind_is_not_touched);
	tcase_add_loop_test(tcase, the_last_byte_wherever_words_begin, 0, 64);
	tcase_add_test(tcase, so_much_is_filled);
	tcase_add_test(tcase, a_taken_block_is_forgotten);
	tcase_add_test(tcase, a_range_is_forgotten);
	tcase_add_loop_test(tcase, pages_given_back_are_watched, 0, 4);
	tcase_add_loop_test(tcase, part_of_a_page_given_back, 0, 24);
	tcase_add_test(tcase, written_next_to_what_is_handed_out);
	tcase_add_loop_test(tcase, pages_that_could_not_be_given_back_are_watched, 0, 3);
	tcase_add_test(tcase, a_refused_slide_ends_no_watch);
	tcase_add_test(tcase, plain_heaps_are_not_filled);
	tcase_add_test(tcase, a_torn_copy_reports_nothing);
	tcase_add_loop_test(tcase, valid_use_is_never_reported, 0, 8);
	return suite_run(suite);
}
