/* SPDX-License-Identifier: MIT */
/*
 * test_limit.c - bheap_set_limit() and bheap_limit() as bheap_set_limit(3) has them, on heaps of
 * every kind.
 */
#include "places.h"

#include <pthread.h>
#include <unistd.h>

enum { LIMIT = 4096 };

/* A request that takes so many bytes of the heap. */
static size_t request(size_t bytes)
{
	return bytes - trailer;
}

/* Two blocks that take all that the limit allows. */
static void heap_make_spent(int index, char *blocks[2])
{
	heap_make(index);
	ck_assert_int_eq(bheap_set_limit(heap, LIMIT), 0);
	for (int number = 0; number < 2; number++) {
		blocks[number] = bheap_alloc(heap, request(LIMIT / 2));
		ck_assert_ptr_nonnull(blocks[number]);
		pattern_fill(blocks[number], request(LIMIT / 2), (uint64_t)number);
	}
	errno = 0;
}

START_TEST(a_new_heap_has_no_limit)
{
	heap_make(_i);
	errno = 0;
	ck_assert_uint_eq(bheap_limit(heap), 0);
	ck_assert_int_eq(errno, 0);
	ck_assert_uint_eq(stats_now().limit, 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, request(size)));
}
END_TEST

START_TEST(the_limit_is_reached_and_not_passed)
{
	char *block;

	heap_make(_i);
	ck_assert_int_eq(bheap_set_limit(heap, LIMIT + 15), 0);
	ck_assert_uint_eq(bheap_limit(heap), LIMIT + 15);
	ck_assert_uint_eq(stats_now().limit, LIMIT + 15);
	ck_assert_ptr_null(bheap_alloc(heap, request(LIMIT) + 1));
	ck_assert_errno(ENOMEM);
	block = bheap_alloc(heap, request(LIMIT));
	ck_assert_ptr_nonnull(block);
	errno = 0;
	ck_assert_ptr_null(bheap_alloc(heap, 0));
	ck_assert_errno(ENOMEM);
	ck_assert_uint_eq(stats_now().failures, 2);
	ck_assert_uint_eq(stats_now().used, LIMIT);
	ck_assert_uint_eq(stats_now().peak_used, LIMIT);
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, request(LIMIT)));
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* ---- each function that allocates ---- */

static char *spent[2];

static bool alloc_fails(void)
{
	return !bheap_alloc(heap, 1);
}

static bool calloc_fails(void)
{
	return !bheap_calloc(heap, 1, 16);
}

static bool aligned_fails(void)
{
	return !bheap_aligned_alloc(heap, 64, 1);
}

static bool realloc_of_null_fails(void)
{
	return !bheap_realloc(heap, NULL, 1);
}

static bool realloc_in_place_fails(void)
{
	return !bheap_realloc(heap, spent[1], request(LIMIT / 2) + 1);
}

static bool realloc_by_move_fails(void)
{
	return !bheap_realloc(heap, spent[0], request(LIMIT / 2) + 1);
}

static bool reallocarray_fails(void)
{
	return !bheap_reallocarray(heap, spent[1], 1, request(LIMIT / 2) + 1);
}

static bool strdup_fails(void)
{
	return !bheap_strdup(heap, "");
}

static bool strndup_fails(void)
{
	return !bheap_strndup(heap, "a", 1);
}

static bool aligned_realloc_fails(void)
{
	return !bheap_aligned_realloc(heap, spent[1], 32, request(LIMIT / 2) + 1);
}

static bool resize_fails(void)
{
	return bheap_resize(heap, spent[1], request(LIMIT / 2) + 1) == -1;
}

static bool alloc_into_fails(void)
{
	return !bheap_alloc_into(heap, (uint64_t *)(void *)spent[0], 1);
}

static bool root_alloc_fails(void)
{
	return !bheap_root_alloc(heap, 1);
}

static bool balloc_fails(void)
{
	return heap != bheap_default() || !balloc(1);
}

static bool (*const requests[])(void) = {
	alloc_fails,           calloc_fails,           aligned_fails,
	realloc_of_null_fails, realloc_in_place_fails, realloc_by_move_fails,
	aligned_realloc_fails, resize_fails,           alloc_into_fails,
	root_alloc_fails,      balloc_fails,           reallocarray_fails,
	strdup_fails,          strndup_fails,
};
#define REQUESTS ((int)(sizeof(requests) / sizeof(*requests)))

START_TEST(every_request_obeys)
{
	heap_make_spent(_i / REQUESTS, spent);
	errno = ENOMEM; /* balloc_fails() has nothing to do in most heaps */
	ck_assert(requests[_i % REQUESTS]());
	ck_assert_errno(ENOMEM);
	ck_assert_uint_eq(stats_now().used, LIMIT);
	ck_assert_uint_eq(stats_now().peak_used, LIMIT);
	if (requests[_i % REQUESTS] != balloc_fails)
		ck_assert_uint_eq(stats_now().failures, 1);
	ck_assert(pattern_holds(spent[0], request(LIMIT / 2), 0));
	ck_assert(pattern_holds(spent[1], request(LIMIT / 2), 1));
	ck_assert_int_eq(bheap_set_limit(heap, 0), 0);
	if (requests[_i % REQUESTS] != balloc_fails)
		ck_assert(!requests[_i % REQUESTS]());
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* A smaller block makes room; it grows again up to the limit, not beyond. */
START_TEST(resizes_up_to_the_limit)
{
	char *block;

	heap_make_spent(_i, spent);
	block = spent[1];
	ck_assert_int_eq(bheap_resize(heap, block, request(LIMIT / 4)), 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, request(64)));
	ck_assert_ptr_null(bheap_alloc(heap, request(LIMIT / 4)));
	ck_assert_errno(ENOMEM);
	block = bheap_realloc(heap, block, 1);
	ck_assert_ptr_nonnull(block);
	ck_assert_ptr_nonnull(bheap_alloc(heap, request(LIMIT / 4)));
	ck_assert_uint_eq(stats_now().peak_used, LIMIT);
}
END_TEST

/* A block that must move takes both places for a moment. */
START_TEST(a_move_counts_both_places)
{
	char *block;

	heap_make(_i);
	block = bheap_alloc(heap, request(1024));
	ck_assert_ptr_nonnull(bheap_alloc(heap, request(16 + trailer)));
	ck_assert_int_eq(bheap_set_limit(heap, 1024 + 16 + trailer + 2048 - 1), 0);
	ck_assert_ptr_null(bheap_realloc(heap, block, request(2048)));
	ck_assert_errno(ENOMEM);
	ck_assert_int_eq(bheap_set_limit(heap, 1024 + 16 + trailer + 2048), 0);
	ck_assert_ptr_nonnull(bheap_realloc(heap, block, request(2048)));
	ck_assert_uint_eq(stats_now().used, 2048 + 16 + trailer);
}
END_TEST

/* Down over the free block before it, it takes what it has in the end. */
START_TEST(a_slide_counts_the_end)
{
	const bool shared = places[_i].place == SHARED;
	char *front, *block;

	heap_make(_i);
	front = bheap_alloc(heap, request(1024));
	block = bheap_alloc(heap, request(2048));
	ck_assert_ptr_nonnull(bheap_alloc(heap, request(16 + trailer)));
	heap_free(heap, front);
	pattern_fill(block, request(2048), 1);
	ck_assert_int_eq(bheap_set_limit(heap, 3072 + 16 + trailer), 0);
	ck_assert_ptr_null(bheap_realloc(heap, block, request(3072) + 1));
	block = bheap_realloc(heap, block, request(3072));
	ck_assert_ptr_eq(block, shared ? NULL : front);
	if (!shared)
		ck_assert(pattern_holds(block, request(2048), 1));
	ck_assert_uint_eq(stats_now().failures, shared ? 2 : 1);
}
END_TEST

START_TEST(a_limit_below_what_is_in_use)
{
	heap_make_spent(_i, spent);
	ck_assert_int_eq(bheap_set_limit(heap, 1), 0);
	ck_assert_uint_eq(bheap_limit(heap), 1);
	ck_assert_uint_eq(stats_now().used, LIMIT);
	ck_assert_ptr_null(bheap_alloc(heap, 1));
	ck_assert_errno(ENOMEM);
	ck_assert_int_eq(bheap_resize(heap, spent[1], request(LIMIT / 4)), 0);
	ck_assert_ptr_null(bheap_realloc(heap, spent[1], request(LIMIT / 4) + 1));
	ck_assert_int_eq(heap_free(heap, spent[0]), 0);
	ck_assert(pattern_holds(spent[1], request(LIMIT / 4), 1));
	ck_assert_int_eq(heap_free(heap, spent[1]), 0);
	ck_assert_ptr_null(bheap_alloc(heap, 1));
	ck_assert_int_eq(bheap_set_limit(heap, SIZE_MAX), 0);
	ck_assert_uint_eq(bheap_limit(heap), SIZE_MAX);
	ck_assert_ptr_nonnull(bheap_alloc(heap, request(size)));
}
END_TEST

static int limit_in_callback(const struct bheap_block *block, void *arg)
{
	(void)block;
	errno = 0;
	ck_assert_int_eq(bheap_set_limit(arg, LIMIT), -1);
	ck_assert_errno(EDEADLK);
	ck_assert_uint_eq(bheap_limit(arg), 77);
	return 5;
}

START_TEST(wrong_calls)
{
	heap_make(_i);
	errno = 0;
	ck_assert_int_eq(bheap_set_limit(NULL, LIMIT), -1);
	ck_assert_errno(EINVAL);
	errno = 0;
	ck_assert_uint_eq(bheap_limit(NULL), 0);
	ck_assert_errno(EINVAL);
	ck_assert_int_eq(bheap_set_limit(heap, 77), 0);
	ck_assert_int_eq(bheap_walk(heap, limit_in_callback, heap), 5);
	ck_assert_ptr_null(bheap_alloc(heap, 100)); /* after the walk, too */
	ck_assert_uint_eq(bheap_limit(heap), 77);
}
END_TEST

/* ---- processes and threads ---- */

static int alloc_in_child(void *arg)
{
	const size_t *bytes = arg;

	return bheap_alloc(heap, *bytes) ? 1 : errno == ENOMEM ? 0 : 2;
}

START_TEST(a_fork_keeps_the_limit)
{
	size_t bytes = 1;
	struct child child;

	heap_make_spent(_i, spent);
	child_run(&child, alloc_in_child, &bytes);
	child_assert_exited(&child, 0);
}
END_TEST

static int limit_raise(void *arg)
{
	bheap_t *own = path_heap(PLACE_SIZE, 0);

	if (bheap_limit(own) != LIMIT || bheap_alloc(own, 1))
		return 1;
	return bheap_set_limit(own, *(const size_t *)arg) ? 2 : 0;
}

START_TEST(processes_share_the_limit)
{
	size_t more = 2 * LIMIT;
	struct child child;
	bheap_t *reader;

	heap_make_spent(_i, spent);
	reader = path_heap_read_only();
	ck_assert_uint_eq(bheap_limit(reader), LIMIT);
	ck_assert_int_eq(bheap_set_limit(reader, 0), -1);
	ck_assert_errno(EROFS);
	child_run(&child, limit_raise, &more);
	child_assert_exited(&child, 0);
	ck_assert_uint_eq(bheap_limit(heap), 2 * LIMIT);
	ck_assert_uint_eq(bheap_limit(reader), 2 * LIMIT);
	ck_assert_ptr_nonnull(bheap_alloc(heap, request(LIMIT)));
	ck_assert_ptr_null(bheap_alloc(heap, 1));
	ck_assert_int_eq(bheap_close(reader), 0);
	ck_assert_int_eq(bheap_close(heap), 0);
	heap = path_heap(PLACE_SIZE, 0);
	ck_assert_uint_eq(bheap_limit(heap), 2 * LIMIT);
	ck_assert_ptr_null(bheap_alloc(heap, 1));
}
END_TEST

enum { THREADS = 4 };

static bool stop; /* atomic */

static void *thread_allocate(void *arg)
{
	void *blocks[16];

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (int index = 0; index < 16; index++)
			blocks[index] = bheap_alloc(arg, 1);
		for (int index = 0; index < 16; index++)
			bheap_free(arg, blocks[index]);
	}
	return NULL;
}

/* From the call on, nothing is allocated until less than the limit is in use. */
static void limit_and_look(void)
{
	size_t used, before;

	ck_assert_int_eq(bheap_set_limit(heap, 16), 0);
	before = stats_now().used;
	for (int look = 0; look < 100; look++) {
		used = stats_now().used;
		ck_assert_uint_le(used, before > 16 ? before : 16);
		before = used;
	}
}

START_TEST(threads_obey_at_once)
{
	pthread_t threads[THREADS];

	heap_make(_i);
	for (int index = 0; index < THREADS; index++)
		pthread_create(&threads[index], NULL, thread_allocate, heap);
	/* Under Valgrind, where threads take turns, each call of this one waits for some. */
	for (int round = 0; round < (is_watched() ? 5 : 50); round++) {
		ck_assert_int_eq(bheap_set_limit(heap, 0), 0);
		usleep(200);
		limit_and_look();
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (int index = 0; index < THREADS; index++)
		pthread_join(threads[index], NULL);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("limit", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, a_new_heap_has_no_limit, 0, PLACES);
	tcase_add_loop_test(tcase, the_limit_is_reached_and_not_passed, 0, PLACES);
	tcase_add_loop_test(tcase, every_request_obeys, 0, PLACES * REQUESTS);
	tcase_add_loop_test(tcase, resizes_up_to_the_limit, 0, PLACES);
	tcase_add_loop_test(tcase, a_move_counts_both_places, 0, PLACES);
	tcase_add_loop_test(tcase, a_slide_counts_the_end, 0, PLACES);
	tcase_add_loop_test(tcase, a_limit_below_what_is_in_use, 0, PLACES);
	tcase_add_loop_test(tcase, wrong_calls, 0, PLACES);
	tcase_add_loop_test(tcase, a_fork_keeps_the_limit, 0, PLACES);
	tcase_add_loop_test(tcase, processes_share_the_limit, PLACES_SHARED, PLACES_SHARED_END);
	tcase_add_loop_test(tcase, threads_obey_at_once, PLACES_THREADED, PLACES_THREADED_END);
	return suite_run(suite);
}
