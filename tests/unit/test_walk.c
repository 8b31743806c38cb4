/* SPDX-License-Identifier: MIT */
/*
 * test_walk.c - the walk: what a callback is told, how it ends the walk, and that its own calls on
 * the heap are refused, on every kind of heap.
 */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "handle/handle.h"
#include "api/walk.h"

/* ---- what is told ---- */

struct told {
	struct bheap_block blocks[16];
	int count;
	int ends_at; /* the visit that ends the walk, or 0 */
};

static int tell(const struct bheap_block *block, void *arg)
{
	struct told *told = arg;

	ck_assert_int_lt(told->count, 16);
	told->blocks[told->count++] = *block;
	return told->count == told->ends_at ? 1000 + told->count : 0;
}

static void told_expect(const struct bheap_block *block, const void *address, size_t size,
			size_t usable, bool used, bool previous_used)
{
	ck_assert_ptr_eq(block->address, address);
	ck_assert_uint_eq(block->size, size);
	ck_assert_uint_eq(block->usable, usable);
	ck_assert_int_eq(block->used, used);
	ck_assert_int_eq(block->previous_used, previous_used);
	ck_assert_int_eq(block->owner, 0);
}

START_TEST(blocks_in_address_order)
{
	bheap_t *heap = bheap_create(8192, 0);
	char *first = bheap_alloc(heap, 5), *second = bheap_alloc(heap, 100);
	char *third = bheap_alloc(heap, 16);
	struct told told = {.count = 0};

	heap_free(heap, second);
	ck_assert_int_eq(bheap_walk(heap, tell, &told), 0);
	ck_assert_int_eq(told.count, 4);
	told_expect(&told.blocks[0], first, 16, 16, true, true);
	told_expect(&told.blocks[1], second, 112, 0, false, true);
	told_expect(&told.blocks[2], third, 16, 16, true, false);
	told_expect(&told.blocks[3], third + 16, 8192 - 144, 0, false, true);
	heap_empty(heap);
	bheap_destroy(heap);
}
END_TEST

START_TEST(guarded_blocks)
{
	bheap_t *heap = bheap_create(8192, BHEAP_GUARD);
	char *first = bheap_alloc(heap, 5), *second = bheap_alloc(heap, 48);
	struct told told = {.count = 0};

	ck_assert_int_eq(bheap_walk(heap, tell, &told), 0);
	ck_assert_int_eq(told.count, 3);
	told_expect(&told.blocks[0], first, 32, 5, true, true);
	told_expect(&told.blocks[1], second, 64, 48, true, true);
	heap_empty(heap);
	bheap_destroy(heap);
}
END_TEST

START_TEST(a_callback_ends_it)
{
	bheap_t *heap = bheap_create(8192, 0);
	char *blocks[4];
	struct told told = {.ends_at = _i};

	for (int index = 0; index < 4; index++)
		blocks[index] = bheap_alloc(heap, 16);
	ck_assert_int_eq(bheap_walk(heap, tell, &told), 1000 + _i);
	ck_assert_int_eq(told.count, _i);
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0); /* not locked any more */
	heap_empty(heap);
	bheap_destroy(heap);
}
END_TEST

/* The fast path, suspended during a walk, is allowed again afterwards. */
START_TEST(the_fast_path_is_allowed_again)
{
	static const unsigned flags[] = {0, BHEAP_UNLOCKED, BHEAP_GUARD};
	bheap_t *heap = bheap_create(16384, flags[_i]);
	struct told told = {0};
	unsigned skip_lock = heap->skip_lock;

	ck_assert_int_eq(bheap_walk(heap, tell, &told), 0);
	ck_assert_uint_eq(heap->skip_lock, skip_lock);
	told = (struct told){.ends_at = 1};
	ck_assert_int_eq(bheap_walk(heap, tell, &told), 1001);
	ck_assert_uint_eq(heap->skip_lock, skip_lock);
	bheap_destroy(heap);
}
END_TEST

START_TEST(wrong_arguments)
{
	bheap_t *heap = bheap_create(8192, 0);
	struct told told = {.count = 0};

	ck_assert_int_eq(bheap_walk(heap, NULL, &told), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_int_eq(bheap_walk(NULL, tell, &told), -1);
	ck_assert_errno(EINVAL);
	bheap_destroy(heap);
}
END_TEST

/* ---- calls from inside ---- */

struct inside {
	bheap_t *heap, *other;
	void *block;
	unsigned visits;
};

#define refused(failed)                                                                            \
	do {                                                                                       \
		errno = 0;                                                                         \
		require(failed);                                                                   \
		require_equal(errno, EDEADLK);                                                     \
	} while (0)

static int nothing(const struct bheap_block *block, void *arg)
{
	(void)block;
	(void)arg;
	return 0;
}

static int call_everything(const struct bheap_block *block, void *arg)
{
	struct inside *inside = arg;
	bheap_t *heap = inside->heap;
	struct bheap_stats stats;
	void *other;

	(void)block;
	inside->visits++;
	refused(!bheap_alloc(heap, 16));
	refused(!bheap_alloc(heap, 0));
	refused(!bheap_calloc(heap, 1, 16));
	refused(!bheap_aligned_alloc(heap, 64, 16));
	refused(!bheap_realloc(heap, inside->block, 1));
	refused(!bheap_realloc(heap, NULL, 16));
	refused(heap_free(heap, inside->block) == -1);
	refused(bheap_usable_size(heap, inside->block) == 0);
	refused(!bheap_owns(heap, inside->block));
	refused(bheap_stats(heap, &stats) == -1);
	refused(bheap_walk(heap, nothing, NULL) == -1);
	refused(bheap_display(heap, stdout) == -1);
	refused(bheap_check(heap, NULL) == -1);
	refused(bheap_trim(heap) == 0);
	refused(bheap_set_root(heap, NULL) == -1);
	refused(bheap_set_fault_handler(heap, NULL, NULL) == -1);
	refused(!bheap_alloc_into(heap, inside->block, 16));
	refused(!bheap_root_alloc(heap, 16));
	refused(bheap_free_from(heap, inside->block) == -1);
	refused(bheap_reclaim(heap) == -1);
	/* Another heap is free to use. */
	other = bheap_alloc(inside->other, 16);
	require(other && heap_free(inside->other, other) == 0);
	return 0;
}

static bheap_t *shared_make(void)
{
	int fd = memfd_create("heap", MFD_CLOEXEC);
	bheap_t *heap = bheap_open_fd(fd, 16384, 0);

	close(fd);
	return heap;
}

static void *sleep_nowhere(void *arg)
{
	return arg;
}

static const unsigned kinds[] = {0, BHEAP_UNLOCKED, BHEAP_GUARD, UINT32_MAX /* shared */};

START_TEST(its_own_calls_are_refused)
{
	unsigned kind = kinds[_i / 2];
	bheap_t *heap = kind == UINT32_MAX ? shared_make() : bheap_create(8192, kind);
	struct inside inside = {.heap = heap, .other = bheap_create(8192, 0)};
	pthread_t thread;

	if (_i % 2) { /* and when the process is no longer known to have one thread */
		pthread_create(&thread, NULL, sleep_nowhere, NULL);
		pthread_join(thread, NULL);
	}
	ck_assert_ptr_nonnull(heap);
	inside.block = bheap_alloc(heap, 100);
	ck_assert_int_eq(bheap_walk(heap, call_everything, &inside), 0);
	ck_assert_uint_eq(inside.visits, 2);
	ck_assert_int_eq(heap_free(heap, inside.block), 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_destroy(heap);
	bheap_destroy(inside.other);
}
END_TEST

/*
 * Who reads without the lock trusts no map: where even the sentinel is gone, the walk ends at the
 * end.
 */
START_TEST(a_map_without_an_end)
{
	bheap_t *heap = bheap_create(40000, 0);
	struct bh_map_word *words = heap->core.map.words;

	for (size_t word = 0; word < bh_map_words(heap->core.end); word++)
		words[word] = (struct bh_map_word){word ? 0 : 2, 0};
	ck_assert_uint_ge(bh_map_words(heap->core.end), 30);
	heap->read_only = true;
	ck_assert_uint_eq(bh_walk_next(heap, BH_FIRST), heap->core.end);
	ck_assert_uint_eq(bh_walk_next(heap, heap->core.end - 1), heap->core.end);
	words[heap->core.end >> 6].start = ~UINT64_C(0) << 63; /* past the end */
	ck_assert_uint_eq(bh_walk_next(heap, BH_FIRST), heap->core.end);
	bheap_destroy(heap);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("walk", &tcase, 10);

	tcase_add_test(tcase, blocks_in_address_order);
	tcase_add_test(tcase, guarded_blocks);
	tcase_add_loop_test(tcase, a_callback_ends_it, 1, 6);
	tcase_add_loop_test(tcase, the_fast_path_is_allowed_again, 0, 3);
	tcase_add_test(tcase, wrong_arguments);
	tcase_add_loop_test(tcase, its_own_calls_are_refused, 0, 8);
	tcase_add_test(tcase, a_map_without_an_end);
	return suite_run(suite);
}
