/* SPDX-License-Identifier: MIT */
/*
 * test_strings.c - bheap_strdup() and bheap_strndup() as bheap_strdup(3) has them, on heaps of
 * every kind.
 */
#include "places.h"

#include <sys/mman.h>
#include <unistd.h>

#define LENGTH 100

/* The copy is a block for the string and its end, and no more; the heap has just this block. */
static void copy_accept(char *copy, const char *expected)
{
	size_t bytes = strlen(expected) + 1;

	ck_assert_ptr_nonnull(copy);
	ck_assert_errno(0);
	ck_assert_str_eq(copy, expected);
	ck_assert_uint_eq(stats_now().used, (bytes + 15) / 16 * 16 + trailer);
	ck_assert_uint_eq(bheap_usable_size(heap, copy), trailer ? bytes : (bytes + 15) / 16 * 16);
	ck_assert_int_eq(heap_free(heap, copy), 0);
}

static void string_make(char *string, size_t length)
{
	for (size_t index = 0; index < length; index++)
		string[index] = (char)(1 + (index * 37 + length) % 255);
	string[length] = '\0';
}

START_TEST(strdup_of_each_length)
{
	char string[LENGTH + 1];

	heap_make(_i);
	for (size_t length = 0; length <= LENGTH; length++) {
		string_make(string, length);
		errno = 0;
		copy_accept(bheap_strdup(heap, string), string);
	}
}
END_TEST

/* Each length with each bound, and with bounds that no string reaches. */
START_TEST(strndup_of_each_length)
{
	char string[LENGTH + 1], expected[LENGTH + 1];

	heap_make(_i);
	for (size_t length = 0; length <= LENGTH; length += 1 + length % 3) {
		string_make(string, length);
		for (size_t bound = 0; bound <= LENGTH + 20; bound += 1 + bound % 5) {
			memset(expected, 0, sizeof(expected));
			memcpy(expected, string, bound < length ? bound : length);
			errno = 0;
			copy_accept(bheap_strndup(heap, string, bound), expected);
		}
		errno = 0;
		copy_accept(bheap_strndup(heap, string, SIZE_MAX), string);
	}
}
END_TEST

/* An array without an end is read up to the bound: what follows it here cannot be. */
START_TEST(strndup_reads_no_more)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *pages =
		mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *copy;

	ck_assert_ptr_ne(pages, MAP_FAILED);
	memset(pages, 'x', page);
	ck_assert_int_eq(mprotect(pages + page, page, PROT_NONE), 0);
	heap_make(_i);
	for (size_t bound = 0; bound < 40; bound++) {
		copy = bheap_strndup(heap, pages + page - bound, bound);
		ck_assert_ptr_nonnull(copy);
		ck_assert_uint_eq(strlen(copy), bound);
		ck_assert_int_eq(memcmp(copy, pages, bound), 0);
	}
	ck_assert_int_eq(munmap(pages, 2 * page), 0);
}
END_TEST

/* A string of all of the heap, its end included, and one of a byte more. */
START_TEST(a_string_that_fits)
{
	char string[PLACE_SIZE + 1];
	size_t room;
	char *copy;

	heap_make(_i);
	room = size - trailer;
	string_make(string, room);
	errno = 0;
	ck_assert_ptr_null(bheap_strdup(heap, string));
	ck_assert_errno(ENOMEM);
	errno = 0;
	ck_assert_ptr_null(bheap_strndup(heap, string, room));
	ck_assert_errno(ENOMEM);
	ck_assert_uint_eq(stats_now().failures, 2);
	ck_assert_uint_eq(stats_now().live_blocks, 0);
	errno = 0;
	copy = bheap_strndup(heap, string, room - 1);
	string[room - 1] = '\0';
	copy_accept(copy, string);
	errno = 0;
	copy_accept(bheap_strdup(heap, string), string);
}
END_TEST

START_TEST(no_string_or_no_heap)
{
	struct bheap_stats before;

	heap_make(_i);
	before = stats_now();
	errno = 0;
	ck_assert_ptr_null(bheap_strdup(heap, NULL));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_strndup(heap, NULL, 0));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_strdup(NULL, "a"));
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_ptr_null(bheap_strndup(NULL, "a", 1));
	ck_assert_errno(EINVAL);
	ck_assert_mem_eq(&before, &(struct bheap_stats[]){stats_now()}, sizeof(before));
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* A copy of a string in the same heap. */
START_TEST(a_copy_of_a_copy)
{
	char *first, *second;

	heap_make(_i);
	first = bheap_strdup(heap, "libbheap");
	ck_assert_ptr_nonnull(first);
	second = bheap_strndup(heap, first, 3);
	ck_assert_ptr_nonnull(second);
	first[0] = 'L';
	ck_assert_str_eq(first, "Libbheap");
	ck_assert_str_eq(second, "lib");
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("strings", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, strdup_of_each_length, 0, PLACES);
	tcase_add_loop_test(tcase, strndup_of_each_length, 0, PLACES);
	tcase_add_loop_test(tcase, strndup_reads_no_more, 0, PLACES);
	tcase_add_loop_test(tcase, a_string_that_fits, 0, PLACES);
	tcase_add_loop_test(tcase, no_string_or_no_heap, 0, PLACES);
	tcase_add_loop_test(tcase, a_copy_of_a_copy, 0, PLACES);
	return suite_run(suite);
}
