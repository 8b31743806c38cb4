/* SPDX-License-Identifier: MIT */
/*
 * test_offsets.c - the same sequence of calls gives the same offsets in every run, on every machine
 * and at every address, so that a failure replays. They are compared with those of offsets.inc;
 * after a wanted change of the policy, BHEAP_TEST_PRINT=1 prints it anew (2>offsets.inc).
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define STEPS 20000
#define SLOTS 300
#define FIRST 12 /* offsets that are stored one by one */

enum place { MAPPED, BUFFER, SHARED };
static const char *const places[] = {"MAPPED", "BUFFER", "SHARED"};

static const struct row {
	const char *name;
	enum place place;
	unsigned flags;
	uint64_t digest;       /* of all offsets */
	unsigned first[FIRST]; /* offsets in granules */
} rows[] = {
#include "offsets.inc" /* how much room a buffer has, BH_HANDLE_ROOM decides too */
};

#define ROWS ((int)(sizeof(rows) / sizeof(*rows)))

/* At the alignment that all of the requests below have at most. */
static _Alignas(4096) char buffer[128 * 1024];

static bheap_t *heap_make(const struct row *row)
{
	bheap_t *heap;
	int fd;

	switch (row->place) {
	case MAPPED: return bheap_create(64 * 1024, row->flags);
	case BUFFER: return bheap_create_in(buffer, 64 * 1024, row->flags);
	default:
		fd = memfd_create("heap", MFD_CLOEXEC);
		heap = bheap_open_fd(fd, 64 * 1024, row->flags);
		close(fd);
		return heap;
	}
}

static size_t size_next(uint64_t *random)
{
	return random_below(random, random_below(random, 8) ? 300 : 6000);
}

/* One call on a slot; the offset of its block now, 0 for none. */
static uint64_t step(bheap_t *heap, void **slot, uint64_t *random)
{
	size_t size = size_next(random);
	uint64_t choice = random_below(random, 8);
	void *block;

	if (*slot && choice < 4) {
		require(bheap_free(heap, *slot) == 0);
		*slot = NULL;
	} else if (*slot) {
		block = bheap_realloc(heap, *slot, size);
		*slot = block ? block : *slot;
	} else if (choice == 0) {
		*slot = bheap_aligned_alloc(heap, (size_t)16 << random_below(random, 7), size);
	} else {
		*slot = bheap_alloc(heap, size);
	}
	return bheap_offset(heap, *slot);
}

struct trace {
	uint64_t digest;
	unsigned first[FIRST];
};

static void trace_take(const struct row *row, struct trace *trace)
{
	bheap_t *heap = heap_make(row);
	void *slots[SLOTS] = {0};
	uint64_t random = 1;
	unsigned stored = 0;

	ck_assert_ptr_nonnull(heap);
	trace->digest = UINT64_C(14695981039346656037);
	for (unsigned number = 0; number < STEPS; number++) {
		uint64_t offset = step(heap, &slots[random_below(&random, SLOTS)], &random);

		trace->digest = (trace->digest ^ offset) * UINT64_C(1099511628211);
		if (offset && stored < FIRST)
			trace->first[stored++] = (unsigned)(offset / 16);
	}
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	heap_empty(heap);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

/* To standard error, as offsets.inc has it. */
static void row_print(const struct row *row, const struct trace *trace)
{
	fprintf(stderr, "\t{\"%s\", %s, %uu, UINT64_C(0x%016jx),\n\t {", row->name,
		places[row->place], row->flags, (uintmax_t)trace->digest);
	for (int index = 0; index < FIRST; index++)
		fprintf(stderr, index ? ", %u" : "%u", trace->first[index]);
	fprintf(stderr, "}},\n");
}

START_TEST(offsets_are_the_stored_ones)
{
	const struct row *row = &rows[_i];
	struct trace trace;

	trace_take(row, &trace);
	if (environment_number("BHEAP_TEST_PRINT", 0)) {
		row_print(row, &trace);
		return;
	}
	for (int index = 0; index < FIRST; index++)
		ck_assert_uint_eq(trace.first[index], row->first[index]);
	ck_assert_uint_eq(trace.digest, row->digest);
}
END_TEST

/* Another address, another key of the seals, a heap that was used before. */
START_TEST(offsets_are_the_same_twice)
{
	struct trace first, second;
	void *hole = mmap(NULL, 1 << 22, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	trace_take(&rows[_i], &first);
	munmap(hole, 1 << 22);
	memset(buffer, 0xee, sizeof(buffer));
	trace_take(&rows[_i], &second);
	ck_assert_mem_eq(&first, &second, sizeof(first));
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("offsets", &tcase, 30);

	tcase_add_loop_test(tcase, offsets_are_the_stored_ones, 0, ROWS);
	tcase_add_loop_test(tcase, offsets_are_the_same_twice, 0, ROWS);
	return suite_run(suite);
}
