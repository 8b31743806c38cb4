/* SPDX-License-Identifier: MIT */
/*
 * creation.c - what a heap costs before its first block: the time it takes to make one, or to reset
 * one, and how much of a caller's buffer is left for blocks.
 */
#include <bheap.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/memory.h"
#include "sample.h"

#define ROUNDS 1001

static const struct {
	const char *name;
	uint64_t size;
} sizes[] = {
	{"1 KiB", 1 << 10},   {"4 KiB", 4 << 10},           {"16 KiB", 16 << 10},
	{"64 KiB", 64 << 10}, {"1 MiB", 1 << 20},           {"64 MiB", 64 << 20},
	{"1 GiB", 1 << 30},   {"8 GiB", UINT64_C(8) << 30}, {"largest", BHEAP_SIZE_MAX},
};

static void heap_check(const bheap_t *heap, const char *name)
{
	if (heap != NULL)
		return;
	fprintf(stderr, "creation: %s: ", name);
	perror("no heap");
	exit(1);
}

/* Microseconds of bheap_create() and of bheap_destroy(). */
static void own_mapping_print(const char *name, size_t size)
{
	static double creations[ROUNDS], ends[ROUNDS];
	for (int i = 0; i < ROUNDS; i++) {
		double start = sample_wall_seconds();
		bheap_t *heap = bheap_create(size, 0);
		double made = sample_wall_seconds();
		heap_check(heap, name);
		bheap_destroy(heap);
		creations[i] = (made - start) * 1e6;
		ends[i] = (sample_wall_seconds() - made) * 1e6;
	}
	struct summary make = sample_summarise(creations, ROUNDS);
	struct summary end = sample_summarise(ends, ROUNDS);
	printf("%-10s %8.2f (%.2f to %.2f) %8.2f (%.2f to %.2f)\n", name, make.median,
	       make.low_quartile, make.high_quartile, end.median, end.low_quartile,
	       end.high_quartile);
}

/*
 * Microseconds of bheap_reset() with so many blocks of 100 bytes, and of bheap_destroy() and
 * bheap_create() instead, after which each page is committed anew at its first write.
 */
static void reset_print(size_t blocks)
{
	static double resets[ROUNDS], creations[ROUNDS];
	size_t size = blocks * 112 + 65536;
	bheap_t *heap = bheap_create(size, 0);
	for (int i = 0; i < ROUNDS; i++) {
		double start, reset;
		heap_check(heap, "reset");
		for (size_t count = 0; count < blocks; count++)
			*(char *)bheap_alloc(heap, 100) = 1;
		start = sample_wall_seconds();
		bheap_reset(heap);
		reset = sample_wall_seconds();
		resets[i] = (reset - start) * 1e6;
		for (size_t count = 0; count < blocks; count++)
			*(char *)bheap_alloc(heap, 100) = 1;
		start = sample_wall_seconds();
		bheap_destroy(heap);
		heap = bheap_create(size, 0);
		creations[i] = (sample_wall_seconds() - start) * 1e6;
	}
	bheap_destroy(heap);
	struct summary reset = sample_summarise(resets, ROUNDS);
	struct summary create = sample_summarise(creations, ROUNDS);
	printf("%-10zu %8.2f (%.2f to %.2f) %8.2f (%.2f to %.2f)\n", blocks, reset.median,
	       reset.low_quartile, reset.high_quartile, create.median, create.low_quartile,
	       create.high_quartile);
}

/* Microseconds of bheap_create_in() on memory in use already, and what is left for blocks. */
static void buffer_print(const char *name, size_t size)
{
	static double creations[ROUNDS];
	struct bheap_stats stats;
	void *buffer = memory_map(size);
	for (int i = 0; i < ROUNDS; i++) {
		double start = sample_wall_seconds();
		bheap_t *heap = bheap_create_in(buffer, size, 0);
		creations[i] = (sample_wall_seconds() - start) * 1e6;
		heap_check(heap, name);
		bheap_stats(heap, &stats);
		bheap_destroy(heap);
	}
	memory_unmap(buffer, size);
	struct summary make = sample_summarise(creations, ROUNDS);
	printf("%-10s %8.2f (%.2f to %.2f) %12zu %6.2f %%\n", name, make.median, make.low_quartile,
	       make.high_quartile, stats.largest_free,
	       100 * (double)stats.largest_free / (double)size);
}

int main(void)
{
	const size_t count = sizeof(sizes) / sizeof(sizes[0]);

	printf("Microseconds, median of %d (quartiles)\n%-10s %s\n", ROUNDS, "size",
	       "bheap_create()           bheap_destroy()");
	for (size_t i = 0; i < count; i++)
		if (sizes[i].size <= BHEAP_SIZE_MAX)
			own_mapping_print(sizes[i].name, (size_t)sizes[i].size);
	printf("\n%-10s %s\n", "buffer",
	       "bheap_create_in()      largest block, share of the buffer");
	for (size_t i = 0; i < count; i++)
		if (sizes[i].size <= BHEAP_SIZE_MAX)
			buffer_print(sizes[i].name, (size_t)sizes[i].size);
	printf("\n%-10s %s\n", "blocks", "bheap_reset()            destroy and create");
	for (size_t blocks = 10; blocks <= 100000; blocks *= 10)
		reset_print(blocks);
	return 0;
}
