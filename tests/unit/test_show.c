/* SPDX-License-Identifier: MIT */
/*
 * test_show.c - the table of blocks and the totals, to the letter, and streams that cannot be
 * written to.
 */
#include "support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/show.h"

#define HEAD "No.     Status  Prev    t_Begin             t_End               t_Size\n"

static bheap_t *heap;
static size_t size;

static void setup(void)
{
	size = (size_t)sysconf(_SC_PAGESIZE);
	heap = bheap_create(size, 0);
}

static void teardown(void)
{
	heap_empty(heap);
	bheap_destroy(heap);
}

/* Rows: status and size in bytes, by turns, from the start; a NULL ends them. */
static char *table_text(const char *start, ...)
{
	size_t used = 0, free_size = 0, largest = 0;
	const char *status, *previous = "alloc";
	unsigned number = 0;
	size_t length;
	va_list rows;
	FILE *stream;
	char *text;

	stream = open_memstream(&text, &length);
	fputs(HEAD, stream);
	va_start(rows, start);
	while ((status = va_arg(rows, const char *))) {
		size_t bytes = va_arg(rows, size_t);

		fprintf(stream, "%-8u%-8s%-8s0x%016jx  0x%016jx  %zu\n", ++number, status, previous,
			(uintmax_t)(uintptr_t)start, (uintmax_t)(uintptr_t)(start + bytes - 1),
			bytes);
		if (*status == 'F' && bytes > largest)
			largest = bytes;
		*(*status == 'F' ? &free_size : &used) += bytes;
		start += bytes;
		previous = status;
	}
	va_end(rows);
	fprintf(stream,
		"Total used:         %zu bytes\nTotal free:         %zu bytes\n"
		"Total size:         %zu bytes\nLargest free block: %zu bytes\n",
		used, free_size, used + free_size, largest);
	fclose(stream);
	return text;
}

static void display_expect(char *expected)
{
	size_t length;
	char *text;
	FILE *stream = open_memstream(&text, &length);

	ck_assert_int_eq(bheap_display(heap, stream), 0);
	ck_assert_str_eq(text, expected); /* flushed, that is */
	fclose(stream);
	free(text);
	free(expected);
}

START_TEST(an_empty_heap)
{
	char *block = bheap_alloc(heap, 1);

	heap_free(heap, block);
	display_expect(table_text(block, "FREE", size, NULL));
}
END_TEST

START_TEST(blocks_of_both_kinds)
{
	char *first = bheap_alloc(heap, 100), *second = bheap_alloc(heap, 1);
	char *third = bheap_alloc(heap, 2000);

	display_expect(table_text(first, "alloc", (size_t)112, "alloc", (size_t)16, "alloc",
				  (size_t)2000, "FREE", size - 2128, NULL));
	heap_free(heap, first);
	display_expect(table_text(first, "FREE", (size_t)112, "alloc", (size_t)16, "alloc",
				  (size_t)2000, "FREE", size - 2128, NULL));
	heap_free(heap, third);
	display_expect(table_text(first, "FREE", (size_t)112, "alloc", (size_t)16, "FREE",
				  size - 128, NULL));
	heap_free(heap, second);
	display_expect(table_text(first, "FREE", size, NULL));
}
END_TEST

/* It is the last line, while there is one. */
START_TEST(a_limit)
{
	char *block = bheap_alloc(heap, 1), *table, *text;
	const char *last = "Limit:              4096 bytes\n";

	heap_free(heap, block);
	ck_assert_int_eq(bheap_set_limit(heap, 4096), 0);
	table = table_text(block, "FREE", size, NULL);
	ck_assert_int_ge(asprintf(&text, "%s%s", table, last), 0);
	free(table);
	display_expect(text);
	ck_assert_int_eq(bheap_set_limit(heap, 0), 0);
	display_expect(table_text(block, "FREE", size, NULL));
}
END_TEST

START_TEST(a_full_heap)
{
	char *block = bheap_alloc(heap, size);

	display_expect(table_text(block, "alloc", size, NULL));
}
END_TEST

/* Columns begin where their heads do, for any 64-bit address. */
START_TEST(columns_are_aligned)
{
	const char *head = HEAD;
	char *text = table_text((const char *)(uintptr_t)0x7fffffffe000, "alloc", (size_t)16, NULL);
	const char *line = strchr(text, '\n') + 1;

	ck_assert_int_eq(line[strstr(head, "t_Begin") - head], '0');
	ck_assert_int_eq(line[strstr(head, "t_End") - head], '0');
	ck_assert_int_eq(line[strstr(head, "t_Size") - head], '1');
	ck_assert_int_eq(line[strstr(head, "Status") - head], 'a');
	ck_assert_int_eq(line[strstr(head, "Prev") - head], 'a');
	free(text);
}
END_TEST

START_TEST(more_rows_than_columns_are_wide)
{
	char *text, *last;
	size_t length, rows = 0;
	FILE *stream = open_memstream(&text, &length);
	bheap_t *large = bheap_create(16 * 20000, BHEAP_UNLOCKED);

	while (bheap_alloc(large, 16))
		rows++;
	ck_assert_int_eq(bheap_display(large, stream), 0);
	last = strstr(text, "\n19999   alloc   alloc   0x");
	ck_assert_ptr_nonnull(last);
	ck_assert_uint_ge(rows, 20000);
	fclose(stream);
	free(text);
	heap_empty(large);
	bheap_destroy(large);
}
END_TEST

START_TEST(streams_that_fail)
{
	FILE *full = fopen("/dev/full", "w");

	ck_assert_ptr_nonnull(full);
	ck_assert_int_eq(bheap_display(heap, full), -1);
	ck_assert_errno(ENOSPC);
	setvbuf(full, NULL, _IONBF, 0);
	ck_assert_int_eq(bheap_display(heap, full), -1);
	ck_assert_errno(ENOSPC);
	fclose(full);
	ck_assert_ptr_nonnull(bheap_alloc(heap, size));
}
END_TEST

/* A stream that takes so many bytes and no more, each as it comes. */
static ssize_t write_until_full(void *cookie, const char *bytes, size_t length)
{
	size_t *left = cookie, taken = length < *left ? length : *left;

	(void)bytes;
	*left -= taken;
	if (taken < length)
		errno = ENOSPC;
	return taken < length ? 0 : (ssize_t)taken;
}

/* Wherever it happens, in the table, the totals or the map: it is told. */
START_TEST(streams_that_fail_on_the_way)
{
	const cookie_io_functions_t functions = {.write = write_until_full};
	size_t limit, left;
	void *blocks[3];
	FILE *stream;
	int shown = -1;

	/* Rows of the map: one that a block completes, one that only the end does. */
	blocks[0] = bheap_alloc(heap, 16);
	blocks[1] = bheap_alloc(heap, 2000);
	blocks[2] = bheap_alloc(heap, 400);
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
	for (limit = 0; shown; limit++) {
		left = limit;
		stream = fopencookie(&left, "w", functions);
		ck_assert_ptr_nonnull(stream);
		setvbuf(stream, NULL, _IONBF, 0);
		errno = 0;
		shown = bh_show_charted(heap, stream);
		if (shown)
			ck_assert_errno(ENOSPC);
		fclose(stream);
		ck_assert_uint_lt(limit, 10000);
	}
	ck_assert_uint_eq(left, 0); /* the last byte was needed */
	ck_assert_uint_gt(limit, 700);
	ck_assert_int_eq(heap_free(heap, blocks[1]), 0);
}
END_TEST

START_TEST(wrong_arguments)
{
	ck_assert_int_eq(bheap_display(heap, NULL), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_display(NULL, stdout), -1);
	ck_assert_errno(EINVAL);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("show", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_empty_heap);
	tcase_add_test(tcase, blocks_of_both_kinds);
	tcase_add_test(tcase, a_limit);
	tcase_add_test(tcase, a_full_heap);
	tcase_add_test(tcase, columns_are_aligned);
	tcase_add_test(tcase, more_rows_than_columns_are_wide);
	tcase_add_test(tcase, streams_that_fail);
	tcase_add_test(tcase, streams_that_fail_on_the_way);
	tcase_add_test(tcase, wrong_arguments);
	return suite_run(suite);
}
