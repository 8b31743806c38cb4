/* SPDX-License-Identifier: MIT */
/*
 * test_classic.c - the contract of init_heap, balloc, bfree and disp_heap. The default heap is made
 * once for a program, so each test is a process of its own.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))

static struct faults faults;

static void setup(void)
{
	faults_expect(&faults);
}

/* What the tests leave in the heap would be leaks. */
static void teardown(void)
{
	if (bheap_default())
		heap_empty(bheap_default());
}

/* ---- init_heap ---- */

START_TEST(before_init)
{
	ck_assert_ptr_null(balloc(16));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(classic_free(&faults), -1);
	ck_assert_errno(EINVAL);
	ck_assert_ptr_null(bheap_default());
}
END_TEST

START_TEST(the_size_asked_for_is_usable_in_full)
{
	char *block;

	ck_assert_int_eq(init_heap(PAGE), 0);
	block = balloc(PAGE);
	ck_assert_ptr_nonnull(block);
	memset(block, 1, PAGE);
	ck_assert_ptr_null(balloc(1));
	ck_assert_errno(ENOMEM);
	ck_assert_int_eq(classic_free(block), 0);
	ck_assert_ptr_eq(balloc(PAGE), block);
}
END_TEST

START_TEST(sizes_are_rounded_up_to_pages)
{
	const size_t sizes[] = {1, 1024, PAGE - 1, PAGE + 1, 3 * PAGE, 1000000};
	size_t expected = (sizes[_i] + PAGE - 1) / PAGE * PAGE;
	struct bheap_stats stats;

	ck_assert_int_eq(init_heap(sizes[_i]), 0);
	ck_assert_int_eq(bheap_stats(bheap_default(), &stats), 0);
	ck_assert_uint_eq(stats.size, expected);
	ck_assert_ptr_nonnull(balloc(expected));
}
END_TEST

START_TEST(once_per_program)
{
	ck_assert_int_eq(init_heap(PAGE), 0);
	ck_assert_int_eq(init_heap(PAGE), -1);
	ck_assert_errno(EALREADY);
	ck_assert_int_eq(init_heap(0), -1);
	ck_assert_errno(EALREADY);
	ck_assert_ptr_nonnull(balloc(PAGE));
}
END_TEST

START_TEST(a_failed_init_may_be_retried)
{
	ck_assert_int_eq(init_heap(0), -1);
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(init_heap(SIZE_MAX), -1);
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(init_heap(BHEAP_SIZE_MAX + 1), -1);
	ck_assert_errno(EINVAL);
	ck_assert_ptr_null(bheap_default());
	ck_assert_int_eq(init_heap(PAGE), 0);
	ck_assert_ptr_nonnull(balloc(1));
}
END_TEST

START_TEST(the_default_heap_does_not_end)
{
	ck_assert_int_eq(init_heap(PAGE), 0);
	ck_assert_ptr_nonnull(bheap_default());
	ck_assert_int_eq(bheap_destroy(bheap_default()), -1);
	ck_assert_errno(EINVAL);
	ck_assert_ptr_nonnull(balloc(PAGE));
}
END_TEST

static void *init_try(void *arg)
{
	pthread_barrier_wait(arg);
	return (void *)(intptr_t)init_heap(PAGE);
}

START_TEST(one_of_many_threads_makes_it)
{
	pthread_t threads[8];
	pthread_barrier_t barrier;
	int made = 0;

	pthread_barrier_init(&barrier, NULL, 8);
	for (int index = 0; index < 8; index++)
		ck_assert_int_eq(pthread_create(&threads[index], NULL, init_try, &barrier), 0);
	for (int index = 0; index < 8; index++) {
		void *result;

		pthread_join(threads[index], &result);
		made += result == NULL;
	}
	ck_assert_int_eq(made, 1);
	ck_assert_ptr_nonnull(balloc(PAGE));
}
END_TEST

/* ---- balloc ---- */

START_TEST(blocks_are_aligned_and_apart)
{
	char *last = NULL;

	ck_assert_int_eq(init_heap(64 * 1024), 0);
	for (size_t size = 1; size < 200; size++) {
		char *block = balloc(size);

		ck_assert_ptr_nonnull(block);
		ck_assert_uint_eq((uintptr_t)block % 16, 0);
		memset(block, (int)size, size);
		if (last)
			ck_assert(block >= last + size - 1);
		last = block;
	}
}
END_TEST

START_TEST(size_zero_is_refused)
{
	ck_assert_int_eq(init_heap(PAGE), 0);
	ck_assert_ptr_null(balloc(0));
	ck_assert_errno(EINVAL);
	ck_assert_ptr_nonnull(balloc(PAGE));
}
END_TEST

START_TEST(sizes_beyond_the_heap_are_refused)
{
	const size_t sizes[] = {PAGE + 1, SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2 + 1, SIZE_2_TO(36)};

	ck_assert_int_eq(init_heap(PAGE), 0);
	ck_assert_ptr_null(balloc(sizes[_i]));
	ck_assert_errno(ENOMEM);
	ck_assert_ptr_nonnull(balloc(PAGE));
}
END_TEST

START_TEST(no_byte_is_lost_to_headers)
{
	size_t blocks = 0;

	ck_assert_int_eq(init_heap(PAGE), 0);
	while (balloc(16))
		blocks++;
	ck_assert_errno(ENOMEM);
	ck_assert_uint_eq(blocks, PAGE / 16);
}
END_TEST

START_TEST(splits_at_the_low_end)
{
	char *first, *second;

	ck_assert_int_eq(init_heap(PAGE), 0);
	first = balloc(100);
	second = balloc(100);
	ck_assert_ptr_eq(second, first + 112);
}
END_TEST

START_TEST(exact_fit_is_preferred)
{
	void *large, *exact;

	ck_assert_int_eq(init_heap(PAGE), 0);
	large = balloc(256);
	ck_assert_ptr_nonnull(balloc(16));
	exact = balloc(64);
	ck_assert_ptr_nonnull(balloc(16));
	classic_free(large);
	classic_free(exact);
	ck_assert_ptr_eq(balloc(64), exact);
	ck_assert_ptr_eq(balloc(256), large);
}
END_TEST

/* ---- bfree ---- */

/* All orders of freeing four neighbours: one block is left each time. */
START_TEST(free_coalesces_at_once)
{
	unsigned left[4] = {0, 1, 2, 3}, order = (unsigned)_i;
	char *blocks[4];

	ck_assert_int_eq(init_heap(PAGE), 0);
	for (int index = 0; index < 4; index++)
		blocks[index] = balloc(PAGE / 4);
	ck_assert_ptr_null(balloc(1));
	for (unsigned count = 4; count; order /= count--) {
		unsigned chosen = order % count;

		ck_assert_int_eq(classic_free(blocks[left[chosen]]), 0);
		left[chosen] = left[count - 1];
	}
	ck_assert_ptr_eq(balloc(PAGE), blocks[0]);
}
END_TEST

static void refused(void *ptr, enum bheap_fault_kind kind)
{
	unsigned before = faults.count;

	errno = 0;
	ck_assert_int_eq(classic_free(ptr), -1);
	ck_assert_errno(EINVAL);
	ck_assert_uint_eq(faults.count, before + (kind != BHEAP_FAULT_NONE));
	if (kind == BHEAP_FAULT_NONE)
		return;
	ck_assert_int_eq(faults.last.kind, kind);
	ck_assert_ptr_eq(faults.last.address, ptr);
}

START_TEST(wrong_pointers_are_refused)
{
	char *block, local[64];
	void *foreign = malloc(64);

	ck_assert_int_eq(init_heap(PAGE), 0);
	block = balloc(64);
	refused(NULL, BHEAP_FAULT_NONE);
	refused(local, BHEAP_FAULT_NOT_A_BLOCK);
	refused(foreign, BHEAP_FAULT_NOT_A_BLOCK);
	refused(block + 1, BHEAP_FAULT_NOT_A_BLOCK);
	refused(block + 16, BHEAP_FAULT_NOT_A_BLOCK);
	refused(block + 63, BHEAP_FAULT_NOT_A_BLOCK);
	refused(block + 64, BHEAP_FAULT_DOUBLE_FREE);
	refused(block - 1, BHEAP_FAULT_NOT_A_BLOCK);
	refused(block + PAGE, BHEAP_FAULT_NOT_A_BLOCK);
	refused((void *)1, BHEAP_FAULT_NOT_A_BLOCK);
	refused((void *)UINTPTR_MAX, BHEAP_FAULT_NOT_A_BLOCK);
	ck_assert_int_eq(bheap_check(bheap_default(), NULL), 0);
	ck_assert_int_eq(classic_free(block), 0);
	ck_assert_ptr_eq(balloc(PAGE), block);
	free(foreign);
}
END_TEST

START_TEST(double_free_is_refused)
{
	char *block, *next;

	ck_assert_int_eq(init_heap(PAGE), 0);
	block = balloc(64);
	next = balloc(64);
	ck_assert_int_eq(classic_free(block), 0);
	refused(block, BHEAP_FAULT_DOUBLE_FREE);
	ck_assert_int_eq(classic_free(next), 0);
	refused(next, BHEAP_FAULT_DOUBLE_FREE);
	ck_assert_ptr_eq(balloc(PAGE), block);
	refused(next, BHEAP_FAULT_NOT_A_BLOCK);
}
END_TEST

/* ---- disp_heap ---- */

static int show(void *arg)
{
	static void *volatile kept; /* or the child would leak it */

	kept = arg;
	disp_heap();
	child_exit(kept != arg); /* what was not flushed is lost */
}

START_TEST(display_before_init)
{
	struct child child;

	child_run(&child, show, NULL);
	child_assert_exited(&child, 0);
	ck_assert_str_eq(child.out, "There is no heap: init_heap() was not called.\n");
	ck_assert_str_eq(child.err, "");
}
END_TEST

START_TEST(display_of_blocks)
{
	struct child child;
	char expected[1024], *first, *second;
	uintptr_t at;

	ck_assert_int_eq(init_heap(PAGE), 0);
	first = balloc(100);
	second = balloc(16);
	classic_free(first);
	at = (uintptr_t)first;
	snprintf(expected, sizeof(expected),
		 "No.     Status  Prev    t_Begin             t_End               t_Size\n"
		 "1       FREE    alloc   0x%016jx  0x%016jx  112\n"
		 "2       alloc   FREE    0x%016jx  0x%016jx  16\n"
		 "3       FREE    alloc   0x%016jx  0x%016jx  %zu\n"
		 "Total used:         16 bytes\n"
		 "Total free:         %zu bytes\n"
		 "Total size:         %zu bytes\n"
		 "Largest free block: %zu bytes\n",
		 (uintmax_t)at, (uintmax_t)at + 111, (uintmax_t)at + 112, (uintmax_t)at + 127,
		 (uintmax_t)at + 128, (uintmax_t)(at + PAGE - 1), PAGE - 128, PAGE - 16, PAGE,
		 PAGE - 128);
	child_run(&child, show, second);
	child_assert_exited(&child, 0);
	ck_assert_str_eq(child.out, expected);
}
END_TEST

/* ---- a map ---- */

/* Heaps that this program shows when it is run again: BHEAP_MAP is read when the library is loaded.
 */
static void display_few_blocks(void)
{
	if (balloc(1024 + 16))
		classic_free(balloc(16));
}

static void display_empty(void)
{
}

/* A little of the first cell, all of the third, half of the fourth, the end of the last. */
static void display_large_blocks(void)
{
	void *volatile blocks[5];

	blocks[0] = balloc(16);
	blocks[1] = balloc(2 * 4096 - 16);
	blocks[2] = balloc(4096 + 2048);
	blocks[3] = balloc(((size_t)8 << 20) - 3 * 4096 - 2048 - 400);
	blocks[4] = balloc(400);
	classic_free(blocks[1]);
	classic_free(blocks[3]);
}

static void display_overflow(void)
{
	char *block = balloc(100);

	memory_change(block + 100, 'x');
	classic_free(block);
}

static void (*const displays[])(void) = {display_few_blocks, display_empty, display_large_blocks,
					 display_overflow};

static int display_show(const char *number)
{
	if (init_heap((size_t)8 << 20))
		return 1;
	displays[atoi(number)]();
	/* Set too late. */
	setenv("BHEAP_MAP", getenv("BHEAP_MAP") ? "" : "1", 1);
	disp_heap();
	return 0;
}

struct display {
	const char *number, *map; /* of the display; of BHEAP_MAP, or NULL */
};

/* By its path, which Valgrind knows; /proc/self/exe would be Valgrind. */
static void self_execute(const char *number)
{
	char path[4096];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (length < 0)
		return;
	path[length] = '\0';
	execl(path, "test_classic", number, (char *)NULL);
}

static int display_run(void *arg)
{
	const struct display *display = arg;

	if (display->map)
		setenv("BHEAP_MAP", display->map, 1);
	else
		unsetenv("BHEAP_MAP");
	self_execute(display->number);
	return 9;
}

/* All that is printed below the table. */
static const char *map_of(const char *number, const char *setting)
{
	static struct child child;
	struct display display = {number, setting};
	const char *last;

	child_run(&child, display_run, &display);
	child_assert_exited(&child, 0);
	last = strstr(child.out, "Largest free block: ");
	ck_assert_ptr_nonnull(last);
	return strchr(last, '\n') + 1;
}

/* Cells of a granule, and one row and a cell of them. */
START_TEST(display_with_a_map)
{
	if (is_emulated()) /* it executes no program of its machine */
		return;
	ck_assert_str_eq(
		map_of("0", "1"),
		"           0 ################################################################\n"
		"         400 #\n"
		"one character is 16 bytes: '.' free, '1' to '9' tenths in use, '#' full\n"
		"         410 and on: 8387568 bytes free\n");
	ck_assert_str_eq(map_of("0", "0"), "");
	ck_assert_str_eq(map_of("0", ""), "");
	ck_assert_str_eq(map_of("0", NULL), "");
}
END_TEST

START_TEST(a_map_of_larger_cells)
{
	const char *map;

	if (is_emulated()) /* it executes no program of its machine */
		return;
	map = strstr(map_of("1", "1"), "one character is ");
	ck_assert_ptr_nonnull(map);
	ck_assert_str_eq(
		map, "one character is 4096 bytes: '.' free, '1' to '9' tenths in use, '#' full\n");
	map = map_of("2", "1");
	ck_assert_int_eq(strncmp(map, "           0 1.#5....", 21), 0);
	map += (13 + 64 + 1) * 31;
	ck_assert_str_eq(
		strchr(map, '\n') - 4,
		"...1\n"
		"one character is 4096 bytes: '.' free, '1' to '9' tenths in use, '#' full\n");
}
END_TEST

/* ---- guards ---- */

static int display_run_guarded(void *arg)
{
	setenv("BHEAP_GUARD", arg, 1);
	self_execute("3");
	return 9;
}

START_TEST(the_environment_guards_the_default_heap)
{
	static char on[] = "1", off[] = "0";
	struct child child;

	if (is_emulated()) /* it executes no program of its machine */
		return;
	child_run(&child, display_run_guarded, on);
	child_assert_exited(&child, 0);
	ck_assert_ptr_nonnull(strstr(child.err, "bytes past the block were overwritten"));
	child_run(&child, display_run_guarded, off);
	child_assert_exited(&child, 0);
	child_assert_said(&child, "");
}
END_TEST

/* ---- faults ---- */

static int free_twice(void *arg)
{
	bheap_set_fault_handler(NULL, NULL, NULL);
	classic_free(arg);
	return classic_free(arg) == -1 ? 0 : 1;
}

START_TEST(by_default_a_fault_is_one_line)
{
	struct child child;
	char expected[160];
	void *block;

	ck_assert_int_eq(init_heap(PAGE), 0);
	block = balloc(100);
	child_run(&child, free_twice, block);
	child_assert_exited(&child, 0);
	snprintf(expected, sizeof(expected), "bheap: %p: the block is free already\n", block);
	ck_assert_str_eq(child.err, expected);
	ck_assert_str_eq(child.out, "");
}
END_TEST

/* ---- threads ---- */

static void *mix(void *arg)
{
	uint64_t random = (uintptr_t)arg;
	char *blocks[32] = {0};

	for (int round = 0; round < 5000; round++) {
		char **block = &blocks[random_below(&random, 32)];

		if (*block) {
			require_equal((*block)[0], (int)(uintptr_t)arg);
			require_equal(classic_free(*block), 0);
			*block = NULL;
		} else {
			*block = balloc(1 + random_below(&random, 300));
			require(*block);
			(*block)[0] = (char)(uintptr_t)arg;
		}
	}
	for (int index = 0; index < 32; index++)
		if (blocks[index])
			require_equal(classic_free(blocks[index]), 0);
	return NULL;
}

START_TEST(threads_may_use_it_at_once)
{
	pthread_t threads[4];
	struct bheap_stats stats;

	ck_assert_int_eq(init_heap(1 << 20), 0);
	for (uintptr_t index = 0; index < 4; index++)
		ck_assert_int_eq(pthread_create(&threads[index], NULL, mix, (void *)(index + 1)),
				 0);
	for (int index = 0; index < 4; index++)
		pthread_join(threads[index], NULL);
	ck_assert_int_eq(bheap_check(bheap_default(), NULL), 0);
	bheap_stats(bheap_default(), &stats);
	ck_assert_uint_eq(stats.largest_free, stats.size);
}
END_TEST

int main(int count, char **arguments)
{
	TCase *tcase;
	Suite *suite;

	if (count == 2)
		return display_show(arguments[1]);
	suite = suite_of("classic", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, before_init);
	tcase_add_test(tcase, the_size_asked_for_is_usable_in_full);
	tcase_add_loop_test(tcase, sizes_are_rounded_up_to_pages, 0, 6);
	tcase_add_test(tcase, once_per_program);
	tcase_add_test(tcase, a_failed_init_may_be_retried);
	tcase_add_test(tcase, the_default_heap_does_not_end);
	tcase_add_test(tcase, one_of_many_threads_makes_it);
	tcase_add_test(tcase, blocks_are_aligned_and_apart);
	tcase_add_test(tcase, size_zero_is_refused);
	tcase_add_loop_test(tcase, sizes_beyond_the_heap_are_refused, 0, 5);
	tcase_add_test(tcase, no_byte_is_lost_to_headers);
	tcase_add_test(tcase, splits_at_the_low_end);
	tcase_add_test(tcase, exact_fit_is_preferred);
	tcase_add_loop_test(tcase, free_coalesces_at_once, 0, 24);
	tcase_add_test(tcase, wrong_pointers_are_refused);
	tcase_add_test(tcase, double_free_is_refused);
	tcase_add_test(tcase, display_before_init);
	tcase_add_test(tcase, display_of_blocks);
	tcase_add_test(tcase, display_with_a_map);
	tcase_add_test(tcase, a_map_of_larger_cells);
	tcase_add_test(tcase, the_environment_guards_the_default_heap);
	tcase_add_test(tcase, by_default_a_fault_is_one_line);
	tcase_add_test(tcase, threads_may_use_it_at_once);
	return suite_run(suite);
}
