/* SPDX-License-Identifier: MIT */
/*
 * test_refusal.c - bheap_set_refusal_handler() as its page has it, on heaps of every kind.
 */
#include <pthread.h>
#include <setjmp.h>

#include "places.h"

/* A cache whose blocks a handler evicts, and what it was told. */
static struct {
	void *blocks[64];
	unsigned count;
	unsigned calls;
	unsigned evicts; /* blocks a call */
	bool answer;
	struct bheap_refusal last;
} cache;

static bool evict(const struct bheap_refusal *refusal, void *arg)
{
	ck_assert_ptr_eq(arg, &cache);
	ck_assert_ptr_eq(refusal->heap, heap);
	cache.calls++;
	cache.last = *refusal;
	for (unsigned done = 0; done < cache.evicts && cache.count; done++)
		ck_assert_int_eq(bheap_free(heap, cache.blocks[--cache.count]), 0);
	return cache.answer;
}

/* Blocks that leave no room but for less than one of them; the last were allocated last. */
static void cache_fill(bheap_refusal_fn *handler, unsigned evicts, bool answer)
{
	memset(&cache, 0, sizeof(cache));
	while ((cache.blocks[cache.count] = bheap_alloc(heap, 3000)) != NULL)
		cache.count++;
	ck_assert_uint_gt(cache.count, 8);
	cache.evicts = evicts;
	cache.answer = answer;
	ck_assert_int_eq(bheap_set_refusal_handler(heap, handler, &cache), 0);
}

static void *request(unsigned which, size_t bytes)
{
	static const char *names[] = {"alloc",   "calloc",          "aligned",
				      "realloc", "aligned_realloc", "reallocarray"};
	void *block;

	ck_assert_uint_lt(which, sizeof(names) / sizeof(*names));
	errno = 0;
	switch (which) {
	case 0: block = bheap_alloc(heap, bytes); break;
	case 1: block = bheap_calloc(heap, 1, bytes); break;
	case 2: block = bheap_aligned_alloc(heap, 64, bytes); break;
	case 3: block = bheap_realloc(heap, cache.blocks[0], bytes); break;
	case 4: block = bheap_aligned_realloc(heap, cache.blocks[0], 64, bytes); break;
	default: block = bheap_reallocarray(heap, cache.blocks[0], bytes / 2, 2);
	}
	return block;
}
#define REQUESTS 6

/* Compilers warn of the constant. */
static volatile size_t largest = SIZE_MAX;

/* Each function calls the handler as often as it takes to find room. */
START_TEST(room_is_made)
{
	heap_make(_i);
	for (unsigned which = 0; which < REQUESTS; which++) {
		char *block;

		cache_fill(evict, 1, true);
		pattern_fill(cache.blocks[0], 3000, 1);
		errno = 0;
		block = request(which, 7000);
		ck_assert_msg(block, "request %u", which);
		ck_assert_errno(0);
		ck_assert_uint_ge(cache.calls, 2);
		ck_assert_uint_le(cache.calls, 5);
		ck_assert_uint_eq(cache.last.size, 7000);
		ck_assert_uint_eq(cache.last.alignment, which == 2 || which == 4 ? 64 : 16);
		ck_assert_int_eq(cache.last.error, ENOMEM);
		if (which >= 3)
			ck_assert(pattern_holds(block, 3000, 1));
		bheap_set_refusal_handler(heap, NULL, NULL);
		heap_empty(heap);
	}
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/*
 * With true, and nothing done, there is one more try and no more calls; with false none. A limit
 * above the size of the heap is none.
 */
START_TEST(no_progress_ends_it)
{
	heap_make(_i);
	for (unsigned which = 0; which < REQUESTS; which++) {
		for (unsigned round = 0; round < 2; round++) {
			ck_assert_int_eq(bheap_set_limit(heap, round ? 16 << 20 : 0), 0);
			cache_fill(evict, 0, round);
			ck_assert_ptr_null(request(which, 7000));
			ck_assert_errno(ENOMEM);
			ck_assert_uint_eq(cache.calls, 1);
			bheap_set_refusal_handler(heap, NULL, NULL);
			heap_empty(heap);
		}
	}
}
END_TEST

/* No call: larger than the heap, bheap_resize(), after NULL. */
START_TEST(calls_that_are_not_made)
{
	heap_make(_i);
	cache_fill(evict, 1, true);
	ck_assert_ptr_null(bheap_alloc(heap, size + 1));
	ck_assert_ptr_null(bheap_calloc(heap, largest, 2));
	ck_assert_ptr_null(bheap_reallocarray(heap, cache.blocks[0], largest, 2));
	ck_assert_int_eq(bheap_resize(heap, cache.blocks[0], 7000), -1);
	ck_assert_int_eq(bheap_set_refusal_handler(heap, NULL, NULL), 0);
	ck_assert_ptr_null(bheap_alloc(heap, 7000));
	ck_assert_uint_eq(cache.calls, 0);
	errno = 0;
	ck_assert_int_eq(bheap_set_refusal_handler(NULL, evict, NULL), -1);
	ck_assert_errno(EINVAL);
}
END_TEST

static bool limit_raise(const struct bheap_refusal *refusal, void *arg)
{
	(void)arg;
	cache.calls++;
	return bheap_set_limit(refusal->heap, bheap_limit(refusal->heap) + 512) == 0;
}

/* A handler may raise the limit, in steps. */
START_TEST(the_limit_is_raised)
{
	heap_make(_i);
	memset(&cache, 0, sizeof(cache));
	ck_assert_int_eq(bheap_set_limit(heap, 1024), 0);
	ck_assert_int_eq(bheap_set_refusal_handler(heap, limit_raise, NULL), 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 2048 - trailer));
	ck_assert_uint_eq(cache.calls, 2);
	ck_assert_uint_eq(bheap_limit(heap), 2048);
	bheap_set_refusal_handler(heap, NULL, NULL);
}
END_TEST

static bool request_more(const struct bheap_refusal *refusal, void *arg)
{
	(void)arg;
	cache.calls++;
	ck_assert_ptr_null(bheap_alloc(refusal->heap, 7000));
	ck_assert_errno(ENOMEM);
	errno = EDOM; /* not what the caller gets */
	return false;
}

/* The requests of a handler are refused without a call. */
START_TEST(a_handler_calls_none)
{
	heap_make(_i);
	cache_fill(request_more, 0, false);
	for (unsigned round = 1; round <= 2; round++) {
		errno = 0;
		ck_assert_ptr_null(bheap_alloc(heap, 7000));
		ck_assert_errno(ENOMEM);
		ck_assert_uint_eq(cache.calls, round);
	}
	bheap_set_refusal_handler(heap, NULL, NULL);
}
END_TEST

static jmp_buf way_out;

static bool leave(const struct bheap_refusal *refusal, void *arg)
{
	(void)refusal;
	(void)arg;
	cache.calls++;
	longjmp(way_out, 1);
}

/* After a handler left by longjmp() the heap is whole, and the next refusal calls it again. */
START_TEST(a_handler_leaves)
{
	heap_make(_i);
	cache_fill(leave, 0, false);
	for (volatile unsigned round = 1; round <= 3; round++) {
		if (!setjmp(way_out))
			ck_abort_msg("%p", bheap_alloc(heap, 7000));
		ck_assert_uint_eq(cache.calls, round);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
	}
	bheap_set_refusal_handler(heap, NULL, NULL);
}
END_TEST

static void request_large(void)
{
	ck_assert_ptr_null(bheap_alloc(heap, 7000));
}

START_TEST(a_handler_leaves_and_a_request_comes_from_deeper)
{
	heap_make(_i);
	cache_fill(leave, 0, false);
	for (volatile unsigned round = 1; round <= 5; round++) {
		if (!setjmp(way_out))
			call_from_depth(round, request_large);
		ck_assert_uint_eq(cache.calls, round);
	}
	bheap_set_refusal_handler(heap, NULL, NULL);
}
END_TEST

START_TEST(statistics_of_refusals)
{
	struct bheap_stats stats;

	heap_make(_i);
	ck_assert_uint_eq(stats_now().last_refused, 0);
	ck_assert_uint_eq(stats_now().largest_refused, 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1000));
	ck_assert_ptr_null(bheap_alloc(heap, size + 100));
	ck_assert_ptr_null(bheap_aligned_alloc(heap, 64, size));
	stats = stats_now();
	ck_assert_uint_eq(stats.largest_refused, (size + 100 + 15) / 16 * 16);
	ck_assert_uint_eq(stats.last_refused, size);
	ck_assert_uint_eq(stats.used_at_refusal, stats.used);
	ck_assert_ptr_null(bheap_alloc(heap, largest));
	ck_assert_uint_ge(stats_now().largest_refused, size);
	ck_assert_ptr_null(bheap_alloc(heap, size));
	ck_assert_uint_eq(stats_now().last_refused, size);
}
END_TEST

/* A slot and the root, of shared heaps: their requests call the handler, too. */
START_TEST(slots_and_the_root)
{
	uint64_t *slot;

	heap_make(_i);
	slot = bheap_calloc(heap, 1, sizeof(*slot));
	cache_fill(evict, 1, true);
	ck_assert_ptr_nonnull(bheap_alloc_into(heap, slot, 7000));
	ck_assert_uint_gt(cache.calls, 1);
	cache.calls = 0;
	ck_assert_ptr_nonnull(bheap_root_alloc(heap, 7000));
	ck_assert_uint_gt(cache.calls, 1);
	bheap_set_root(heap, NULL);
	bheap_set_refusal_handler(heap, NULL, NULL);
}
END_TEST

static bool evict_locked(const struct bheap_refusal *refusal, void *arg)
{
	void *block = __atomic_exchange_n((void **)arg, NULL, __ATOMIC_ACQ_REL);

	__atomic_add_fetch(&cache.calls, 1, __ATOMIC_RELAXED);
	return block && bheap_free(refusal->heap, block) == 0;
}

static void *requests_make(void *arg)
{
	(void)arg;
	for (int round = 0; round < 1000; round++) {
		void *block = bheap_alloc(heap, size / 2);

		if (block)
			bheap_free(heap, block);
	}
	return NULL;
}

/* Handlers of several threads run at the same time, and none is entered with the lock held. */
START_TEST(threads_are_refused)
{
	pthread_t threads[3];
	static void *spare;

	heap_make(_i);
	memset(&cache, 0, sizeof(cache));
	spare = bheap_alloc(heap, size * 3 / 4);
	ck_assert_int_eq(bheap_set_refusal_handler(heap, evict_locked, &spare), 0);
	for (int count = 0; count < 3; count++)
		pthread_create(&threads[count], NULL, requests_make, NULL);
	for (int count = 0; count < 3; count++)
		pthread_join(threads[count], NULL);
	ck_assert_ptr_null(spare);
	ck_assert_uint_gt(cache.calls, 0);
	bheap_set_refusal_handler(heap, NULL, NULL);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("refusal", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, room_is_made, 0, PLACES);
	tcase_add_loop_test(tcase, no_progress_ends_it, 0, PLACES);
	tcase_add_loop_test(tcase, calls_that_are_not_made, 0, PLACES);
	tcase_add_loop_test(tcase, the_limit_is_raised, 0, PLACES);
	tcase_add_loop_test(tcase, a_handler_calls_none, 0, PLACES);
	tcase_add_loop_test(tcase, a_handler_leaves, 0, PLACES);
	tcase_add_loop_test(tcase, a_handler_leaves_and_a_request_comes_from_deeper, 0, PLACES);
	tcase_add_loop_test(tcase, statistics_of_refusals, 0, PLACES);
	tcase_add_loop_test(tcase, slots_and_the_root, PLACES_SHARED, PLACES_SHARED_END);
	tcase_add_loop_test(tcase, threads_are_refused, PLACES_THREADED, PLACES_THREADED_END);
	tcase_add_loop_test(tcase, threads_are_refused, PLACES_SHARED, PLACES_SHARED_END);
	return suite_run(suite);
}
