/* SPDX-License-Identifier: MIT */
/*
 * test_rest.c - heap files that were damaged while not in use: every bit of the map is
 * flipped in turn, once in a file that was closed and once in one whose users were killed between
 * two calls. A heap that opens has the blocks it had; one whose blocks cannot be told is refused.
 */
#include "support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handle/handle.h"
#include "handle/shared.h"

#define SIZE ((size_t)16 * 1024)
#define BLOCKS 24

static const char *path;
static struct faults faults;
static unsigned char whole[SIZE];

static void setup(void)
{
	path = path_make();
	faults_expect(&faults);
}

/* ---- the file ---- */

static void file_get(void *into)
{
	int fd = open(path, O_RDONLY);

	ck_assert_int_eq(pread(fd, into, SIZE, 0), SIZE);
	close(fd);
}

static void file_put(const void *from)
{
	int fd = open(path, O_RDWR);

	require(pwrite(fd, from, SIZE, 0) == (ssize_t)SIZE);
	close(fd);
}

/* Live and free blocks of many sizes, neighbours of each kind, one that covers words of the map. */
static void heap_fill(bheap_t *heap)
{
	void *blocks[BLOCKS];

	for (unsigned index = 0; index < BLOCKS; index++)
		blocks[index] = bheap_alloc(heap, index == 7 ? 3500 : 1 + index * 16);
	for (unsigned index = 0; index < BLOCKS; index += 3)
		ck_assert_int_eq(bheap_free(heap, blocks[index]), 0);
}

static int fill_and_die(void *arg)
{
	bheap_t *heap = path_heap(SIZE, 0);

	(void)arg;
	heap_fill(heap);
	return 0;
}

/* Closed; or its only user died between two calls. */
static void file_make(bool closed)
{
	struct child child;
	bheap_t *heap;

	if (closed) {
		heap = path_heap(SIZE, 0);
		heap_fill(heap);
		ck_assert_int_eq(bheap_close(heap), 0);
	} else {
		child_run(&child, fill_and_die, NULL);
		child_assert_exited(&child, 0);
	}
	file_get(whole);
}

/* ---- the blocks ---- */

struct live {
	unsigned count;
	struct {
		uint64_t offset;
		size_t size;
	} blocks[BLOCKS * 2];
};

struct look {
	bheap_t *heap;
	struct live live;
};

static int block_look(const struct bheap_block *block, void *arg)
{
	struct look *look = arg;
	struct live *live = &look->live;

	if (!block->used)
		return 0;
	require(live->count < BLOCKS * 2);
	live->blocks[live->count].offset = bheap_offset(look->heap, block->address);
	live->blocks[live->count++].size = block->size;
	return 0;
}

static struct live live_blocks(bheap_t *heap)
{
	struct look look = {.heap = heap};

	require(bheap_walk(heap, block_look, &look) == 0);
	return look.live;
}

/* Where the map begins, a zero word before it included, and where it ends with another. */
static void map_bounds(size_t *from, size_t *to)
{
	struct bh_layout layout;

	ck_assert(bh_layout_for_size(&layout, SIZE, sizeof(struct bh_shared)));
	*from = layout.map - sizeof(struct bh_map_word);
	*to = layout.map + (bh_map_words(BH_FIRST + layout.span) + 1) * sizeof(struct bh_map_word);
}

/* ---- every bit ---- */

struct result {
	unsigned refused, repaired, unharmed;
};

static void flipped_is_judged(const struct live *expected, struct result *result, size_t bit)
{
	bheap_t *heap;
	struct live live;

	faults.count = 0;
	errno = 0;
	heap = bheap_open(path, 0, O_RDWR, 0, 0);
	if (!heap) {
		ck_assert_errno(EUCLEAN);
		require_equal(faults.count, 1);
		require(faults.last.kind == BHEAP_FAULT_BAD_FILE);
		result->refused++;
		return;
	}
	live = live_blocks(heap);
	ck_assert_msg(memcmp(&live, expected, sizeof(live)) == 0,
		      "bit %zu: opened with other live blocks, and %s", bit,
		      faults.count ? faults.last.text : "no report");
	ck_assert_msg(bheap_check(heap, NULL) == 0, "bit %zu: opened, and not sound", bit);
	require(faults.count == 0 || faults.last.kind == BHEAP_FAULT_DAMAGED_INDEX);
	result->repaired += faults.count > 0;
	result->unharmed += faults.count == 0;
	require(bheap_close(heap) == 0);
}

static struct live expected_blocks(void)
{
	bheap_t *heap = bheap_open(path, 0, O_RDONLY, 0, 0);
	struct live live;

	ck_assert_ptr_nonnull(heap);
	live = live_blocks(heap);
	ck_assert_uint_eq(live.count, BLOCKS * 2 / 3);
	ck_assert_int_eq(bheap_close(heap), 0);
	return live;
}

START_TEST(no_bit_of_the_map_flips_unseen)
{
	static unsigned char flipped[SIZE];
	struct result result = {0};
	struct live expected;
	size_t from, to;

	file_make(_i);
	expected = expected_blocks();
	map_bounds(&from, &to);
	for (size_t bit = from * 8; bit < to * 8; bit++) {
		memcpy(flipped, whole, SIZE);
		flipped[bit / 8] ^= (unsigned char)(1u << bit % 8);
		file_put(flipped);
		flipped_is_judged(&expected, &result, bit);
	}
	ck_assert_uint_gt(result.refused, 0);
	ck_assert_uint_gt(result.repaired, 0); /* boundary tags: they are derived */
	printf("# refused %u, index rebuilt %u, of no meaning %u\n", result.refused,
	       result.repaired, result.unharmed);
}
END_TEST

/* A close does not look into the top; the next opening does. */
START_TEST(a_write_inside_the_top)
{
	bheap_t *heap = path_heap(SIZE, 0);
	uint32_t top, word;

	heap_fill(heap);
	top = heap->core.control->top;
	word = (top >> 6) + (_i ? 3 : 2);
	ck_assert_uint_lt(word, heap->core.end >> 6);
	heap->core.map.words[word].start = UINT64_C(1) << 7;
	ck_assert_int_eq(bheap_close(heap), 0);
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EUCLEAN);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_BAD_FILE);
}
END_TEST

/* Most of the map of a large heap has no memory, and gets none by a close. */
START_TEST(a_large_heap_is_closed)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);
	size_t size = (size_t)256 << 20;
	bheap_t *heap = bheap_open_fd(fd, size, 0);
	struct stat status;

	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_int_eq(fstat(fd, &status), 0);
	ck_assert_uint_lt((size_t)status.st_blocks * 512, size / 64 / 4);
	heap = bheap_open_fd(fd, 0, 0);
	ck_assert_uint_eq(heap->shared->inside, BH_AT_REST);
	ck_assert_uint_eq(faults.count, 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	close(fd);
}
END_TEST

/* Counters say less than the sum: a bit in each of two words leaves them as they were. */
START_TEST(blocks_that_change_places)
{
	static unsigned char changed[SIZE];
	struct live live;
	bheap_t *heap;
	void *first, *second;
	size_t from, to;
	uint64_t *words;

	heap = path_heap(SIZE, 0);
	first = bheap_alloc(heap, 64);
	second = bheap_alloc(heap, 64);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 64));
	ck_assert_int_eq(bheap_free(heap, second), 0);
	live = live_blocks(heap);
	from = (size_t)((const char *)first - (const char *)bheap_pointer(heap, BHEAP_ALIGNMENT));
	ck_assert_uint_eq(from, 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	file_get(changed);
	map_bounds(&from, &to);
	words = (uint64_t *)(void *)(changed + from + sizeof(struct bh_map_word));
	ck_assert_uint_eq(words[1], 1u | 1u << 1 | 1u << 9);
	words[1] = 1u | 1u << 5 | 1u << 9;
	file_put(changed);
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EUCLEAN);
	ck_assert_str_eq(faults.last.text, "bheap: not a usable heap file: its block map is not "
					   "the one it was closed with");
	/* What can be saved is read. */
	heap = bheap_open(path, 0, O_RDONLY, 0, 0);
	ck_assert_ptr_nonnull(heap);
	ck_assert(live_blocks(heap).count == live.count);
	errno = 0;
	ck_assert_int_eq(bheap_check(heap, NULL), -1);
	ck_assert_errno(EUCLEAN);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* ---- when the sum is taken ---- */

static uint32_t state_of_rest(void)
{
	file_get(whole);
	return ((const struct bh_shared *)(const void *)whole)->inside;
}

/* By the last to close and by a sync; the next call that changes the heap ends it. */
START_TEST(the_sum_is_taken)
{
	bheap_t *heap = path_heap(SIZE, 0), *second = path_heap(SIZE, 0);

	heap_fill(heap);
	ck_assert_uint_eq(state_of_rest(), BH_OUTSIDE);
	ck_assert_int_eq(bheap_close(second), 0);
	ck_assert_uint_eq(state_of_rest(), BH_OUTSIDE);
	ck_assert_int_eq(bheap_sync(heap), 0);
	ck_assert_uint_eq(state_of_rest(), BH_AT_REST);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	ck_assert_uint_eq(state_of_rest(), BH_OUTSIDE);
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_uint_eq(state_of_rest(), BH_AT_REST);
	/* Opened, and left alone. */
	heap = path_heap(SIZE, 0);
	ck_assert_uint_eq(state_of_rest(), BH_AT_REST);
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* A sync takes it of a heap that it can lock and may write to; else it stores what there is. */
START_TEST(no_sum_is_taken)
{
	bheap_t *heap = path_heap(SIZE, 0), *reader = bheap_open(path, 0, O_RDONLY, 0, 0);

	heap_fill(heap);
	ck_assert_int_eq(bheap_sync(reader), 0);
	ck_assert_uint_eq(state_of_rest(), BH_OUTSIDE);
	ck_assert_int_eq(bheap_close(reader), 0);
	ck_assert_int_eq(pthread_mutex_lock(heap->lock.shared), 0);
	errno = ENOTTY;
	ck_assert_int_eq(bheap_sync(heap), 0);
	ck_assert_errno(ENOTTY);
	ck_assert_uint_eq(state_of_rest(), BH_OUTSIDE);
	ck_assert_int_eq(pthread_mutex_unlock(heap->lock.shared), 0);
	ck_assert_int_eq(bheap_sync(heap), 0);
	ck_assert_uint_eq(state_of_rest(), BH_AT_REST);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* A reader, which has no lock, looks again before it believes that a map is damaged. */
START_TEST(a_reader_checks_the_map)
{
	bheap_t *heap = path_heap(SIZE, 0), *reader = bheap_open(path, 0, O_RDONLY, 0, 0);
	struct bheap_fault fault;

	heap_fill(heap);
	ck_assert_int_eq(bheap_check(reader, &fault), 0);
	heap->core.map.words[0].start ^= bh_map_bit(BH_FIRST);
	errno = 0;
	ck_assert_int_eq(bheap_check(reader, &fault), -1);
	ck_assert_errno(EUCLEAN);
	ck_assert_int_eq(fault.kind, BHEAP_FAULT_DAMAGED_MAP);
	heap->core.map.words[0].start ^= bh_map_bit(BH_FIRST);
	ck_assert_int_eq(bheap_check(reader, &fault), 0);
	ck_assert_int_eq(bheap_close(reader), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
}
END_TEST

/* A map that was damaged before, or was miscounted, does not get the sum of a sound one. */
START_TEST(a_damaged_map_gets_no_sum)
{
	bheap_t *heap = path_heap(SIZE, 0);

	heap_fill(heap);
	switch (_i) {
	case 0: heap->core.map.words[0].used ^= 1u << 2; break;
	case 1: heap->core.map.words[-1].start ^= 1; break; /* which no counter shows */
	default: heap->core.control->used++;
	}
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_uint_eq(state_of_rest(), BH_OUTSIDE);
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EUCLEAN);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("rest", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, path_remove);
	tcase_add_loop_test(tcase, a_write_inside_the_top, 0, 2);
	tcase_add_test(tcase, a_large_heap_is_closed);
	tcase_add_loop_test(tcase, no_bit_of_the_map_flips_unseen, 0, 2);
	tcase_add_test(tcase, blocks_that_change_places);
	tcase_add_test(tcase, the_sum_is_taken);
	tcase_add_test(tcase, no_sum_is_taken);
	tcase_add_test(tcase, a_reader_checks_the_map);
	tcase_add_loop_test(tcase, a_damaged_map_gets_no_sum, 0, 3);
	return suite_run(suite);
}
