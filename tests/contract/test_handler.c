/* SPDX-License-Identifier: MIT */
/*
 * test_handler.c - handlers of faults that use the heap, and BHEAP_ABORT.
 */
#include "kinds.h"

#include <signal.h>

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

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("handler", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, abort_flag);
	tcase_add_loop_test(tcase, a_handler_may_use_the_heap, 0, KINDS);
	return suite_run(suite);
}
