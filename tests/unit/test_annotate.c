/* SPDX-License-Identifier: MIT */
/*
 * test_annotate.c - what AddressSanitizer is told. This program stands in for its runtime and keeps
 * book: after every call exactly the bytes that their owners asked for are open. (test_annotate.sh
 * asks the tools themselves.)
 */
#include "support.h"

#include <stdio.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__

int main(void)
{
	puts("1..0 # SKIP AddressSanitizer is here itself");
	return 0;
}

#else

#include "core/annotate.h"
#include "handle/handle.h"
#include "os/setting.h"

#define SIZE ((size_t)16 * 1024)
#define BLOCKS 60
#define STEPS 6000

/* A byte for each of the heap's: 1 where it is poisoned. */
static const char *heap_start;
static unsigned char shadow[SIZE];
static size_t heap_size;

static void mark(const volatile void *start, size_t size, int value)
{
	size_t offset = (size_t)((const volatile char *)start - heap_start);

	require(offset <= heap_size && size <= heap_size - offset);
	memset(shadow + offset, value, size);
}

/* The first call is for all of a new heap. */
void __asan_poison_memory_region(void const volatile *start, size_t size)
{
	if (!heap_start) {
		require(size <= SIZE);
		heap_start = (const char *)(uintptr_t)start;
		heap_size = size;
	}
	mark(start, size, 1);
}

void __asan_unpoison_memory_region(void const volatile *start, size_t size)
{
	mark(start, size, 0);
}

/* ---- the book ---- */

struct live {
	char *ptr;
	size_t size; /* that is open */
};

static bheap_t *heap;
static struct live live[BLOCKS];

/* Behind its open bytes lies a whole granule, at least, that is no one's. */
static void redzone_verify(const struct live *entry)
{
	size_t offset = (size_t)(entry->ptr - heap_start), end = offset + entry->size;

	require(offset >= BHEAP_ALIGNMENT || heap->region.start);
	for (size_t at = end;
	     at < (end + 2 * BHEAP_ALIGNMENT - 1) / BHEAP_ALIGNMENT * BHEAP_ALIGNMENT; at++)
		require(at < heap_size && shadow[at]);
	for (size_t at = offset - (heap->region.start ? 0 : BHEAP_ALIGNMENT); at < offset; at++)
		require(shadow[at]);
}

static void verify(void)
{
	unsigned char expected[SIZE];

	memset(expected, 1, heap_size);
	for (int index = 0; index < BLOCKS; index++)
		if (live[index].ptr)
			memset(expected + (live[index].ptr - heap_start), 0, live[index].size);
	require(!memcmp(expected, shadow, heap_size));
	for (int index = 0; index < BLOCKS && (heap->redzones || heap->trailers); index++)
		if (live[index].ptr)
			redzone_verify(&live[index]);
}

static void resize(struct live *entry, size_t size)
{
	char *moved = bheap_realloc(heap, entry->ptr, size);

	/* Asked for more than there is, the heap opens what it would have copied. */
	if (moved)
		*entry = (struct live){moved, size};
	else
		entry->size = bheap_usable_size(heap, entry->ptr);
}

static void step(uint64_t *random)
{
	struct live *entry = &live[random_below(random, BLOCKS)];
	size_t size = random_below(random, random_below(random, 8) ? 200 : 9000);
	uint64_t choice = random_below(random, 8);

	if (!entry->ptr) {
		entry->ptr = choice == 0   ? bheap_aligned_alloc(heap, 128, size)
			     : choice == 1 ? bheap_calloc(heap, size, 1)
					   : bheap_alloc(heap, size);
		entry->size = size;
	} else if (choice == 0) {
		entry->size = bheap_usable_size(heap, entry->ptr);
	} else if (choice < 4) {
		resize(entry, size);
	} else {
		require_equal(heap_free(heap, entry->ptr), 0);
		entry->ptr = NULL;
	}
}

START_TEST(exactly_what_was_asked_for_is_open)
{
	static const unsigned flags[] = {0, BHEAP_GUARD, BHEAP_REALTIME, BHEAP_UNLOCKED};
	static _Alignas(16) char buffer[SIZE];
	uint64_t random = (uint64_t)_i + 1;

	bh_settings.redzones = _i >= 8;
	heap = _i % 8 < 4 ? bheap_create(SIZE, flags[_i % 4])
			  : bheap_create_in(buffer, sizeof(buffer), flags[_i % 4]);
	ck_assert(heap && heap_start);
	ck_assert(heap->redzones == (_i >= 8 && _i % 4 != 1));
	for (unsigned steps = 0; steps < STEPS; steps++) {
		step(&random);
		verify();
	}
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
	for (size_t at = 0; at < heap_size; at++)
		require_equal(shadow[at], 0);
}
END_TEST

/* A wrong pointer opens and closes nothing. */
START_TEST(misuse_opens_nothing)
{
	heap = bheap_create(SIZE, 0);
	live[0] = (struct live){bheap_alloc(heap, 100), 100};
	bheap_set_fault_handler(heap, faults_record, &(struct faults){0});
	ck_assert_int_eq(heap_free(heap, live[0].ptr + 16), -1);
	ck_assert_uint_eq(bheap_usable_size(heap, live[0].ptr + 16), 0);
	ck_assert_ptr_null(bheap_realloc(heap, live[0].ptr + 8, 50));
	ck_assert(!bheap_owns(heap, live[0].ptr + 1));
	verify();
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* The block before is open to a slide for as long as that may take, and closed when it fails. */
START_TEST(a_slide_that_fails_opens_nothing)
{
	int count = 2;

	heap = bheap_create(SIZE, 0);
	bheap_set_fault_handler(heap, faults_record, &(struct faults){0});
	live[0] = (struct live){bheap_alloc(heap, 1000), 1000};
	live[1] = (struct live){bheap_alloc(heap, 8000), 8000};
	while ((live[count].ptr = bheap_alloc(heap, 512)))
		live[count++].size = 512;
	ck_assert_int_eq(heap_free(heap, live[0].ptr), 0);
	memory_scribble(live[0].ptr, "written", 8);
	live[0].ptr = NULL;
	/* With counters that are damaged, too, no index is made. */
	heap->core.control->used++;
	resize(&live[1], 8900);
	ck_assert_uint_eq(live[1].size, 8000);
	verify();
	heap->core.control->used--;
	resize(&live[1], 8900);
	ck_assert_uint_eq(live[1].size, 8900);
	verify();
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("annotate", &tcase, 30);

	tcase_add_loop_test(tcase, exactly_what_was_asked_for_is_open, 0, 16);
	tcase_add_test(tcase, misuse_opens_nothing);
	tcase_add_test(tcase, a_slide_that_fails_opens_nothing);
	return suite_run(suite);
}

#endif
