/* SPDX-License-Identifier: MIT */
/*
 * test_create.c - private heaps and heaps in a caller's memory: sizes at their limits, inaccessible
 * pages, a buffer's borders, no system calls, pages given back, and nothing left at the end.
 */
#include "support.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNKNOWN_FLAG (1u << 30)

static size_t page;

static void setup(void)
{
	page = (size_t)sysconf(_SC_PAGESIZE);
}

static size_t heap_size(const bheap_t *heap)
{
	struct bheap_stats stats;

	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	return stats.size;
}

/* ---- private ---- */

START_TEST(create_rounds_up_to_pages)
{
	const size_t sizes[] = {1, 16, page - 1, page, page + 1, 10 * page + 7, 100000000};
	bheap_t *heap = bheap_create(sizes[_i], 0);
	size_t expected = (sizes[_i] + page - 1) / page * page;
	void *block;

	ck_assert_ptr_nonnull(heap);
	ck_assert_uint_eq(heap_size(heap), expected);
	block = bheap_alloc(heap, expected);
	ck_assert_ptr_nonnull(block);
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

START_TEST(create_with_wrong_arguments)
{
	const struct {
		size_t size;
		unsigned flags;
	} rows[] = {
		{0, 0},
		{BHEAP_SIZE_MAX + 1, 0},
		{SIZE_MAX, 0},
		{page, UNKNOWN_FLAG},
		{page, BHEAP_OWNED},
		{page, BHEAP_PREALLOCATE},
		{page, ~0u},
	};
	static char buffer[4096];

	errno = 0;
	ck_assert_ptr_null(bheap_create(rows[_i].size, rows[_i].flags));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_create_in(buffer, rows[_i].size, rows[_i].flags));
	ck_assert_errno(EINVAL);
}
END_TEST

START_TEST(the_largest_heap)
{
	bheap_t *heap;
	char *block;

	if (is_watched()) /* their shadows do not hold it */
		return;
	heap = bheap_create(BHEAP_SIZE_MAX, BHEAP_UNLOCKED);
	ck_assert_ptr_nonnull(heap);
	ck_assert_uint_gt(heap_size(heap), BHEAP_SIZE_MAX - (1 << 20));
	ck_assert_uint_le(heap_size(heap), BHEAP_SIZE_MAX);
	block = bheap_alloc(heap, heap_size(heap));
	ck_assert_ptr_nonnull(block);
	block[0] = block[heap_size(heap) - 1] = 'x';
	ck_assert_ptr_eq(bheap_realloc(heap, block, 16), block);
	block = bheap_alloc(heap, heap_size(heap) - 16);
	ck_assert_ptr_nonnull(block);
	block[heap_size(heap) - 17] = 'y';
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

START_TEST(inaccessible_pages_around_the_blocks)
{
	bheap_t *heap = bheap_create(2 * page, 0);
	char *block = bheap_alloc(heap, 2 * page);

	ck_assert_str_eq(protection_of(block - 1), "---p");
	ck_assert_str_eq(protection_of(block - page), "---p");
	ck_assert_str_eq(protection_of(block), "rw-p");
	ck_assert_str_eq(protection_of(block + 2 * page - 1), "rw-p");
	ck_assert_str_eq(protection_of(block + 2 * page), "---p");
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

START_TEST(nothing_is_left_after_destroy)
{
	size_t mappings, descriptors = descriptors_count();

	bheap_destroy(bheap_create(page, 0));
	mappings = mappings_count();
	for (int round = 0; round < 50; round++) {
		bheap_t *heap = bheap_create(16 * page, round % 2 ? BHEAP_GUARD : 0);

		heap_empty(heap);
		ck_assert_int_eq(bheap_destroy(heap), 0);
	}
	ck_assert_uint_eq(mappings_count(), mappings);
	ck_assert_uint_eq(descriptors_count(), descriptors);
	ck_assert_int_eq(bheap_destroy(NULL), -1);
	ck_assert_errno(EINVAL);
}
END_TEST

/* ---- in a buffer ---- */

#define BORDER 64

/* Any alignment, any size from the smallest on: nothing outside the buffer is touched. */
START_TEST(a_buffer_of_any_alignment)
{
	static _Alignas(16) unsigned char memory[BORDER + 16 + 20000 + BORDER];
	static const size_t sizes[] = {BHEAP_BUFFER_MIN, BHEAP_BUFFER_MIN + 1, 1500, 4096, 20000};

	for (int index = 0; index < 5; index++) {
		unsigned char *buffer = memory + BORDER + _i;
		bheap_t *heap;
		void *block;

		memset(memory, 0xcc, sizeof(memory));
		heap = bheap_create_in(buffer, sizes[index], index % 2 ? BHEAP_UNLOCKED : 0);
		ck_assert_ptr_nonnull(heap);
		block = bheap_alloc(heap, heap_size(heap));
		ck_assert_ptr_nonnull(block);
		ck_assert_uint_eq((uintptr_t)block % 16, 0);
		memset(block, 0xdd, heap_size(heap));
		heap_free(heap, block);
		while (bheap_alloc(heap, 16))
			;
		heap_empty(heap);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
		ck_assert_int_eq(bheap_destroy(heap), 0);
		for (unsigned char *byte = memory; byte < buffer; byte++)
			require(*byte == 0xcc);
		for (unsigned char *byte = buffer + sizes[index]; byte < memory + sizeof(memory);
		     byte++)
			require(*byte == 0xcc);
	}
}
END_TEST

START_TEST(what_a_buffer_leaves_for_blocks)
{
	static const struct {
		size_t size;
		double share;
	} rows[] = {{1024, 0.35}, {2048, 0.60}, {4096, 0.75}, {65536, 0.92}, {1 << 20, 0.97}};
	char *buffer = malloc(rows[_i].size);
	bheap_t *heap = bheap_create_in(buffer, rows[_i].size, BHEAP_UNLOCKED);

	ck_assert_ptr_nonnull(heap);
	ck_assert_double_ge((double)heap_size(heap) / (double)rows[_i].size, rows[_i].share);
	bheap_destroy(heap);
	free(buffer);
}
END_TEST

/* malloc(3) of some machines aligns to 8 bytes alone, which costs a granule. */
static double share_for_blocks(size_t size, unsigned flags)
{
	char *buffer = aligned_alloc(BHEAP_ALIGNMENT, size);
	bheap_t *heap = bheap_create_in(buffer, size, flags);
	double share = (double)heap_size(heap) / (double)size;

	bheap_destroy(heap);
	free(buffer);
	return share;
}

/* In per cent, to the last digit that bheap_create_in(3) gives. */
START_TEST(what_a_buffer_takes_is_what_the_page_says)
{
	static const struct {
		size_t size;
		double taken, digit;
	} rows[] = {{1024, 47, 1},     {4096, 19, 1},       {16384, 7, 1},
		    {65536, 3.9, 0.1}, {1 << 18, 2.2, 0.1}, {1 << 26, 1.5, 0.1}};
	double taken = 100 * (1 - share_for_blocks(rows[_i].size, 0));

	ck_assert_double_eq_tol(taken, rows[_i].taken, rows[_i].digit / 2);
}
END_TEST

START_TEST(what_caches_take_is_what_the_page_says)
{
	static const struct {
		size_t size;
		double taken;
	} rows[] = {{1 << 18, 1.3}, {1 << 20, 0.6}, {1 << 22, 0.6}, {1 << 26, 0.6}};
	size_t size = rows[_i].size;
	double taken = 100 * (share_for_blocks(size, 0) - share_for_blocks(size, BHEAP_CACHED));

	ck_assert_double_eq_tol(taken, rows[_i].taken, 0.1);
}
END_TEST

START_TEST(a_buffer_that_will_not_do)
{
	static char buffer[4096];

	ck_assert_ptr_null(bheap_create_in(NULL, 4096, 0));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_create_in(buffer, BHEAP_BUFFER_MIN - 1, 0));
	ck_assert_errno(EINVAL);
}
END_TEST

/* A buffer with anything in it, twice. */
START_TEST(a_buffer_is_used_again)
{
	static char buffer[8192];

	memset(buffer, 0xff, sizeof(buffer));
	for (int round = 0; round < 2; round++) {
		bheap_t *heap = bheap_create_in(buffer, sizeof(buffer), 0);

		ck_assert_ptr_nonnull(heap);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
		ck_assert_ptr_nonnull(bheap_alloc(heap, 1000));
		ck_assert_ptr_nonnull(bheap_calloc(heap, 1000, 1));
		heap_empty(heap);
		ck_assert_int_eq(bheap_destroy(heap), 0);
		memset(buffer, 0xee, sizeof(buffer));
	}
}
END_TEST

/* A heap in a heap's block. */
START_TEST(a_heap_in_a_heap)
{
	bheap_t *outer = bheap_create(64 * 1024, 0), *inner;
	void *memory = bheap_alloc(outer, 32 * 1024), *block;

	inner = bheap_create_in(memory, 32 * 1024, 0);
	ck_assert_ptr_nonnull(inner);
	block = bheap_alloc(inner, 100);
	ck_assert(bheap_owns(inner, block));
	ck_assert(!bheap_owns(outer, block));
	ck_assert_int_eq(heap_free(inner, block), 0);
	ck_assert_int_eq(bheap_destroy(inner), 0);
	ck_assert_int_eq(heap_free(outer, memory), 0);
	ck_assert_int_eq(bheap_check(outer, NULL), 0);
	ck_assert_int_eq(bheap_destroy(outer), 0);
}
END_TEST

/* In a process that the kernel kills for any system call but write and exit. */
static int use_buffer_strictly(void *arg)
{
	static char buffer[16384];
	unsigned flags = *(unsigned *)arg;
	bheap_t *heap;
	void *blocks[3];
	bool good;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		return 77;
	heap = bheap_create_in(buffer, sizeof(buffer), flags);
	good = heap != NULL;
	blocks[0] = bheap_alloc(heap, 100);
	blocks[1] = bheap_aligned_alloc(heap, 256, 1000);
	blocks[2] = bheap_calloc(heap, 10, 10);
	blocks[0] = bheap_realloc(heap, blocks[0], 3000);
	good = good && blocks[0] && blocks[1] && blocks[2] && !bheap_alloc(heap, 16384);
	for (int index = 0; index < 3; index++)
		good = good && heap_free(heap, blocks[index]) == 0;
	good = good && bheap_check(heap, NULL) == 0 && bheap_trim(heap) == 0 &&
	       bheap_destroy(heap) == 0;
	syscall(SYS_exit, good ? 0 : 1);
	return 2;
}

START_TEST(a_buffer_needs_no_system_call)
{
	unsigned flags = (const unsigned[]){0, BHEAP_UNLOCKED, BHEAP_GUARD}[_i];
	struct child child;

	if (is_watched() || is_emulated())
		return;
	child_run(&child, use_buffer_strictly, &flags);
	child_assert_exited(&child, 0);
}
END_TEST

/* ---- trim ---- */

static size_t resident(void *start, size_t size)
{
	unsigned char pages[64];
	size_t count = 0;

	ck_assert_int_eq(mincore(start, size, pages), 0);
	for (size_t index = 0; index < size / page; index++)
		count += pages[index] & 1;
	return count;
}

START_TEST(trim_gives_free_pages_back)
{
	bheap_t *heap = bheap_create(64 * page, 0);
	char *blocks[4];

	for (int index = 0; index < 4; index++) {
		blocks[index] = bheap_alloc(heap, 16 * page);
		memset(blocks[index], index + 1, 16 * page);
	}
	ck_assert_uint_eq(bheap_trim(heap), 0);
	heap_free(heap, blocks[1]);
	heap_free(heap, blocks[3]);
	ck_assert_uint_eq(bheap_trim(heap), 2 * 15 * page); /* but for the pages with their links */
	ck_assert_uint_eq(resident(blocks[1] + page, 15 * page), 0);
	ck_assert_uint_eq(resident(blocks[0], 16 * page), 16);
	ck_assert(blocks[0][16 * page - 1] == 1 && blocks[2][0] == 3);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	blocks[1] = bheap_alloc(heap, 16 * page);
	ck_assert_ptr_nonnull(blocks[1]);
	memset(blocks[1], 9, 16 * page);
	heap_empty(heap);
	bheap_destroy(heap);
}
END_TEST

/* Pages that are locked in memory stay: that is no failure, and errno is what it was. */
START_TEST(trim_of_locked_pages)
{
	bheap_t *heap = bheap_create(65536, 0);
	char *block = bheap_alloc(heap, 65536);

	ck_assert_ptr_nonnull(block);
	/* Under sanitizers mlock(2) locks nothing. */
	if (!is_watched() && !mlock(block, 65536)) {
		heap_free(heap, block);
		errno = ENOTTY;
		ck_assert_uint_eq(bheap_trim(heap), 0);
		ck_assert_errno(ENOTTY);
	}
	bheap_destroy(heap);
}
END_TEST

START_TEST(trim_of_a_buffer_gives_nothing)
{
	static _Alignas(4096) char buffer[65536];
	bheap_t *heap = bheap_create_in(buffer, sizeof(buffer), 0);

	ck_assert_uint_eq(bheap_trim(heap), 0);
	bheap_destroy(heap);
}
END_TEST

/* ---- guards that the environment asks for ---- */

static bool buffer_has_room(size_t bytes)
{
	static char buffer[4096];
	bheap_t *heap = bheap_create_in(buffer, bytes, 0);
	bool has = bheap_alloc(heap, 2000);

	bheap_destroy(heap);
	return has;
}

/* What bheap_buffer_size() says holds in this process, whatever guards the environment adds. */
static bool buffer_size_holds(void)
{
	size_t bytes = bheap_buffer_size(2000, 0);

	return buffer_has_room(bytes) && !buffer_has_room(bytes - 16);
}

/* The heap in the smallest buffer: a byte too far is found (3) or not (4). */
static int buffer_overflow(void)
{
	static char buffer[BHEAP_BUFFER_MIN];
	bheap_t *heap = bheap_create_in(buffer + 1, sizeof(buffer) - 1, 0);
	struct bheap_fault fault;
	char *block;

	if (heap)
		return 2; /* smaller than the smallest */
	heap = bheap_create_in(buffer, sizeof(buffer), 0);
	block = bheap_alloc(heap, 20);
	if (!block || bheap_check(heap, NULL))
		return 1;
	if (!buffer_size_holds())
		return 6;
	memory_change(block + 20, 'x');
	if (!bheap_check(heap, &fault))
		return 4;
	return fault.kind == BHEAP_FAULT_OVERFLOW && fault.address == block ? 3 : 5;
}

static int overflow_run(void *arg)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[length > 0 ? length : 0] = '\0';
	setenv("BHEAP_GUARD", arg, 1);
	execl(path, "test_create", "overflow", (char *)NULL);
	return 9;
}

/* Cancelled already: the first cancellation point ends the thread. */
static void *create_cancelled(void *flags)
{
	bheap_t *heap;

	pthread_cancel(pthread_self());
	heap = bheap_create(page, *(const unsigned *)flags);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return heap;
}

START_TEST(creation_is_no_cancellation_point)
{
	unsigned flags = _i ? BHEAP_GUARD : 0;
	pthread_t thread;
	void *heap;

	ck_assert_int_eq(pthread_create(&thread, NULL, create_cancelled, &flags), 0);
	ck_assert_int_eq(pthread_join(thread, &heap), 0);
	ck_assert_ptr_ne(heap, PTHREAD_CANCELED);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

START_TEST(the_environment_guards_a_heap_in_a_buffer)
{
	static char on[] = "1", off[] = "0";
	struct child child;

	if (is_emulated()) /* it executes no program of its machine */
		return;
	child_run(&child, overflow_run, on);
	child_assert_exited(&child, 3);
	child_run(&child, overflow_run, off);
	child_assert_exited(&child, 4);
}
END_TEST

int main(int count, char **arguments)
{
	TCase *tcase;
	Suite *suite;

	if (count == 2 && !strcmp(arguments[1], "overflow"))
		return buffer_overflow();
	suite = suite_of("create", &tcase, 20);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, create_rounds_up_to_pages, 0, 7);
	tcase_add_loop_test(tcase, create_with_wrong_arguments, 0, 7);
	tcase_add_test(tcase, the_largest_heap);
	tcase_add_test(tcase, inaccessible_pages_around_the_blocks);
	tcase_add_test(tcase, nothing_is_left_after_destroy);
	tcase_add_loop_test(tcase, creation_is_no_cancellation_point, 0, 2);
	tcase_add_loop_test(tcase, a_buffer_of_any_alignment, 0, 17);
	tcase_add_loop_test(tcase, what_a_buffer_leaves_for_blocks, 0, 5);
	tcase_add_loop_test(tcase, what_a_buffer_takes_is_what_the_page_says, 0, 6);
	tcase_add_loop_test(tcase, what_caches_take_is_what_the_page_says, 0, 4);
	tcase_add_test(tcase, a_buffer_that_will_not_do);
	tcase_add_test(tcase, a_buffer_is_used_again);
	tcase_add_test(tcase, a_heap_in_a_heap);
	tcase_add_loop_test(tcase, a_buffer_needs_no_system_call, 0, 3);
	tcase_add_test(tcase, trim_gives_free_pages_back);
	tcase_add_test(tcase, trim_of_a_buffer_gives_nothing);
	tcase_add_test(tcase, trim_of_locked_pages);
	tcase_add_test(tcase, the_environment_guards_a_heap_in_a_buffer);
	return suite_run(suite);
}
