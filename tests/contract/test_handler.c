/* SPDX-License-Identifier: MIT */
/*
 * test_handler.c - handlers of faults that use the heap, and BHEAP_ABORT.
 */
#include "kinds.h"

#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

static int free_twice(void *arg)
{
	bheap_set_fault_handler(NULL, NULL, NULL);
	heap_free(heap, arg);
	heap_free(heap, arg);
	return 0;
}

START_TEST(abort_flag)
{
	struct child child;
	void *block;

	heap = bheap_create(4096, BHEAP_ABORT);
	block = bheap_alloc(heap, 10);
	child_run(&child, free_twice, block);
	child_assert_killed(&child, SIGABRT);
	ck_assert_ptr_nonnull(strstr(child.err, "the block is free already\n"));
}
END_TEST

static void handler_that_uses_the_heap(const struct bheap_fault *fault, void *arg)
{
	void **block = arg;

	ck_assert_int_eq(bheap_check(fault->heap, NULL), 0);
	*block = bheap_alloc((bheap_t *)(uintptr_t)fault->heap, 50);
}

START_TEST(a_handler_may_use_the_heap)
{
	void *block = NULL;

	heap_make(_i);
	ck_assert_int_eq(bheap_set_fault_handler(heap, handler_that_uses_the_heap, &block), 0);
	ck_assert_int_eq(heap_free(heap, &block), -1);
	ck_assert_errno(EINVAL);
	ck_assert_ptr_nonnull(block);
	ck_assert(bheap_owns(heap, block));
	ck_assert_uint_eq(faults.count, 0);
	bheap_set_fault_handler(heap, NULL, NULL);
	heap_free(heap, &block);
	ck_assert_uint_eq(faults.count, 1);
}
END_TEST

/* ---- handlers that free what is reported ---- */

static char *fresh; /* what a handler allocated */

static void handler_that_frees(const struct bheap_fault *fault, void *arg)
{
	bheap_t *of = (bheap_t *)(uintptr_t)fault->heap;

	if (fresh)
		return;
	heap_free(of, fault->address);
	fresh = bheap_alloc(of, *(const size_t *)arg);
}

/* In place, at the same size, smaller, larger, and by a move; the handler takes another size. */
START_TEST(a_block_freed_while_it_is_resized)
{
	static const struct {
		size_t size, handlers_size;
	} rows[] = {{90, 100}, {100, 100}, {110, 20}, {1000, 2000}, {1000, 100}, {30000, 100}};
	size_t taken = rows[_i].handlers_size;
	char *block, *next, *moved;

	heap = bheap_create(65536, BHEAP_GUARD);
	block = bheap_alloc(heap, 100);
	next = bheap_alloc(heap, 100);
	bheap_set_fault_handler(heap, handler_that_frees, &taken);
	memory_change(block + 100, 'x');
	moved = bheap_realloc(heap, block, rows[_i].size);
	ck_assert_ptr_nonnull(fresh);
	ck_assert(bheap_owns(heap, fresh));
	ck_assert(bheap_owns(heap, next));
	ck_assert_ptr_ne(moved, fresh);
	if (moved)
		ck_assert(bheap_owns(heap, moved));
	else
		ck_assert_errno(EINVAL);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

START_TEST(a_block_freed_while_it_is_allocated)
{
	size_t taken = 100;
	char *block;

	heap = bheap_create(65536, BHEAP_GUARD);
	block = bheap_alloc(heap, 100);
	heap_free(heap, block);
	memory_change(block + 50, 'x');
	bheap_set_fault_handler(heap, handler_that_frees, &taken);
	ck_assert_ptr_null(bheap_alloc(heap, 100));
	ck_assert_errno(ENOMEM);
	ck_assert(bheap_owns(heap, fresh));
}
END_TEST

static unsigned calls;

static void handler_that_repeats(const struct bheap_fault *fault, void *arg)
{
	(void)arg;
	calls++;
	heap_free((bheap_t *)(uintptr_t)fault->heap, fault->address);
}

static int free_wrongly(void *arg)
{
	bheap_set_fault_handler(heap, handler_that_repeats, NULL);
	for (unsigned round = 1; round <= 3; round++)
		if (heap_free(heap, arg) != -1 || calls != 4 * round)
			return 1;
	return 0;
}

/* Four reports deep a handler is not called again; standard error has the line. */
START_TEST(a_handler_that_is_wrong_itself_ends)
{
	struct child child;

	heap_make(_i);
	child_run(&child, free_wrongly, &child);
	child_assert_exited(&child, 0);
	ck_assert_ptr_nonnull(strstr(child.err, "outside the heap\n"));
}
END_TEST

static jmp_buf back;

static void handler_that_leaves(const struct bheap_fault *fault, void *arg)
{
	(void)fault;
	(void)arg;
	calls++;
	longjmp(back, 1);
}

static void free_wrong(void)
{
	heap_free(heap, &calls);
}

/* From one depth of calls, and from ever deeper, below the frames of all reports before. */
START_TEST(a_handler_that_leaves_is_called_again)
{
	heap_make(_i);
	calls = 0;
	bheap_set_fault_handler(heap, handler_that_leaves, NULL);
	for (volatile unsigned round = 0; round < 40; round++)
		if (!setjmp(back))
			call_from_depth(round < 20 ? 0 : round - 20, free_wrong);
	ck_assert_uint_eq(calls, 40);
	bheap_set_fault_handler(heap, NULL, NULL);
}
END_TEST

/* ---- reports that name the block, and all of them ---- */

static const void *blamed;

static void handler_that_notes(const struct bheap_fault *fault, void *arg)
{
	(void)arg;
	if (!blamed)
		blamed = fault->address;
}

/* Both neighbours of a freed block are free; one of them was written to. */
START_TEST(the_block_that_was_written_to_is_named)
{
	static const unsigned flags[] = {0, BHEAP_UNLOCKED, BHEAP_GUARD};
	char *blocks[5];

	heap = bheap_create(65536, flags[_i / 2]);
	bheap_set_fault_handler(heap, handler_that_notes, NULL);
	for (int index = 0; index < 5; index++)
		blocks[index] = bheap_alloc(heap, 100 + 100 * (size_t)index);
	heap_free(heap, bheap_alloc(heap, 50));
	heap_free(heap, blocks[1]);
	heap_free(heap, blocks[3]);
	memory_change(blocks[_i % 2 ? 3 : 1], 'x');
	ck_assert_int_eq(heap_free(heap, blocks[2]), 0);
	ck_assert_ptr_eq(blamed, blocks[_i % 2 ? 3 : 1]);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}
END_TEST

enum { DAMAGED = 30 };

static int overflow_and_end(void *arg)
{
	for (int index = 0; index < DAMAGED; index++) {
		char *block = bheap_alloc(arg, 100);

		memory_change(block + 100, 'x');
		if (!bheap_alloc(arg, 16 * (size_t)(1 + index % 3)))
			return 1;
	}
	return 0;
}

START_TEST(all_faults_of_a_call_are_reported)
{
	FILE *file = tmpfile();
	struct child child;

	heap = bheap_open_fd(dup(fileno(file)), 65536, BHEAP_OWNED | BHEAP_GUARD);
	fclose(file);
	ck_assert_ptr_nonnull(heap);
	child_run(&child, overflow_and_end, heap);
	child_assert_exited(&child, 0);
	ck_assert_int_eq((int)bheap_reclaim(heap), 2 * DAMAGED);
	ck_assert_uint_eq(faults.count, DAMAGED);
}
END_TEST

/* A resize that is refused ends no watch over the free memory before the block. */
START_TEST(a_refused_resize_leaves_the_watch)
{
	struct bheap_fault fault;
	char *previous, *block;

	heap = bheap_create(65536, BHEAP_GUARD);
	previous = bheap_alloc(heap, 1000);
	block = bheap_alloc(heap, 1000);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 60000));
	heap_free(heap, previous);
	ck_assert_ptr_null(bheap_realloc(heap, block, _i ? 50000 : 1 << 30));
	memory_change(previous + 500, 'x');
	ck_assert_int_eq(bheap_check(heap, &fault), -1);
	ck_assert_int_eq(fault.kind, BHEAP_FAULT_WRITTEN_FREE);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1000));
}
END_TEST

/* For a moment a block that slides down has all of both places. */
START_TEST(a_slide_is_no_peak)
{
	struct bheap_stats before, after;
	char *block, *previous;

	heap = bheap_create(65536, 0);
	previous = bheap_alloc(heap, 30000);
	block = bheap_alloc(heap, 16);
	heap_free(heap, previous);
	block = bheap_realloc(heap, block, 33000);
	bheap_stats(heap, &before);
	ck_assert_uint_eq(before.peak_used, 33008);
	block = bheap_realloc(heap, block, 35600);
	ck_assert_ptr_eq(block, previous);
	bheap_stats(heap, &after);
	ck_assert_uint_eq(after.used, 35600);
	ck_assert_uint_eq(after.peak_used, 35600);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("handler", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, abort_flag);
	tcase_add_loop_test(tcase, a_handler_may_use_the_heap, 0, KINDS);
	tcase_add_loop_test(tcase, a_block_freed_while_it_is_resized, 0, 6);
	tcase_add_test(tcase, a_block_freed_while_it_is_allocated);
	tcase_add_loop_test(tcase, a_handler_that_is_wrong_itself_ends, 0, KINDS);
	tcase_add_loop_test(tcase, a_handler_that_leaves_is_called_again, 0, KINDS);
	tcase_add_loop_test(tcase, the_block_that_was_written_to_is_named, 0, 6);
	tcase_add_test(tcase, all_faults_of_a_call_are_reported);
	tcase_add_loop_test(tcase, a_refused_resize_leaves_the_watch, 0, 2);
	tcase_add_test(tcase, a_slide_is_no_peak);
	return suite_run(suite);
}
