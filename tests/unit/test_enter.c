/* SPDX-License-Identifier: MIT */
/*
 * test_enter.c - handle/enter.h: which calls may skip the lock, and what a call reports.
 */
#include "support.h"

#include "handle/enter.h"

/*
 * Each way to allocate and to free on the fast path, while the lock refuses every entry, as it does
 * during a walk.
 */
START_TEST(small_work_takes_no_lock)
{
	bheap_t *heap = bheap_create(65536, BHEAP_UNLOCKED);
	char *blocks[8], *moved;

	if (heap->skip_lock != BH_SKIP_LOCK_ALWAYS)
		return; /* a tool watches every call */
	bh_lock_walk(&heap->lock, true);
	for (int index = 0; index < 8; index++)
		ck_assert_ptr_nonnull(blocks[index] = bheap_alloc(heap, 96));
	ck_assert_int_eq(heap_free(heap, blocks[1]), 0);                /* no free neighbour */
	ck_assert_ptr_eq(bheap_aligned_alloc(heap, 16, 96), blocks[1]); /* of its size */
	ck_assert_int_eq(heap_free(heap, blocks[1]), 0);
	ck_assert_ptr_eq(bheap_alloc(heap, 32), blocks[1]);      /* split */
	ck_assert_ptr_eq(bheap_alloc(heap, 32), blocks[1] + 32); /* of the victim */
	ck_assert_int_eq(heap_free(heap, blocks[1] + 32), 0);    /* before a free one */
	ck_assert_int_eq(heap_free(heap, blocks[2]), 0);         /* after one */
	ck_assert_int_eq(heap_free(heap, blocks[1]), 0);
	ck_assert_ptr_eq(bheap_alloc(heap, 192), blocks[1]);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 4096)); /* large */
	ck_assert_ptr_eq(bheap_realloc(heap, blocks[4], 48), blocks[4]);
	ck_assert_ptr_eq(bheap_realloc(heap, blocks[4], 96), blocks[4]);
	moved = bheap_realloc(heap, blocks[4], 8192);
	ck_assert_ptr_nonnull(moved);
	ck_assert(moved != blocks[4]);
	errno = 0;
	ck_assert_ptr_null(bheap_aligned_alloc(heap, 32, 32));
	ck_assert_errno(EDEADLK);
	bh_lock_walk(&heap->lock, false);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* What finds no other room may not slide, either, in a heap that refuses entry. */
START_TEST(a_slide_takes_the_lock)
{
	bheap_t *heap = bheap_create(65536, BHEAP_UNLOCKED);
	char *previous, *block;

	if (heap->skip_lock != BH_SKIP_LOCK_ALWAYS)
		return; /* a tool watches every call */
	previous = bheap_alloc(heap, 3000);
	block = bheap_alloc(heap, 30000);
	while (bheap_alloc(heap, 512))
		;
	ck_assert_int_eq(heap_free(heap, previous), 0);
	pattern_fill(block, 30000, 5);
	bh_lock_walk(&heap->lock, true);
	errno = 0;
	ck_assert_ptr_null(bheap_realloc(heap, block, 32000));
	ck_assert_errno(ENOMEM);
	ck_assert(pattern_holds(block, 30000, 5));
	bh_lock_walk(&heap->lock, false);
	ck_assert_ptr_eq(bheap_realloc(heap, block, 32000), previous);
	ck_assert(pattern_holds(previous, 30000, 5));
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* All faults are counted, of which one call reports so many. */
START_TEST(more_faults_than_a_call_has_room_for)
{
	bheap_t *heap = bheap_create(65536, 0);
	struct bheap_stats stats;
	struct faults faults;
	struct bh_call call;

	faults_expect(&faults);
	ck_assert(bh_enter(&call, heap));
	for (int count = 0; count < BH_REPORTS_MAX + 5; count++)
		bh_call_note(&call, BHEAP_FAULT_OVERFLOW, bh_core_start(&heap->core), 16, NULL);
	ck_assert_uint_eq(faults.count, 0);
	bh_leave(&call);
	ck_assert_uint_eq(faults.count, BH_REPORTS_MAX);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.faults, BH_REPORTS_MAX + 5);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* In the child of a fork that has one thread, too, if the C library should say so. */
START_TEST(a_torn_heap_is_recovered_without_threads)
{
	bheap_t *heap = bheap_create(65536, BHEAP_GUARD);
	struct bheap_stats stats;
	struct faults faults;

	faults_expect(&faults);
	heap->lock.torn = heap->lock.detour = true;
	ck_assert_ptr_nonnull(bheap_alloc(heap, 16));
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_RECOVERED);
	ck_assert(!heap->lock.torn);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.recoveries, 1);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* Threads that race for it are not sure to meet. */
START_TEST(the_default_heap_has_a_lock)
{
	ck_assert_int_eq(init_heap(1), 0);
	ck_assert_uint_eq(bheap_default()->flags, 0);
	ck_assert_int_eq(bheap_default()->lock.kind, BH_LOCK_PRIVATE);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("enter", &tcase, 10);

	tcase_add_test(tcase, small_work_takes_no_lock);
	tcase_add_test(tcase, a_slide_takes_the_lock);
	tcase_add_test(tcase, more_faults_than_a_call_has_room_for);
	tcase_add_test(tcase, a_torn_heap_is_recovered_without_threads);
	tcase_add_test(tcase, the_default_heap_has_a_lock);
	return suite_run(suite);
}
