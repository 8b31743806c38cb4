/* SPDX-License-Identifier: MIT */
/*
 * soak.c - whether heaps of 4 KiB to 8 GiB wear out: each is filled until it refuses, a quarter of
 * its blocks is freed or resized at random, and so on. Tells over time how full the heap was when
 * it refused, and how scattered its free memory is; soak.gp draws it. Content is checked on the
 * way.
 */
#include <bheap.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "random.h"

static const char help[] =
	"Usage: soak [OPTION]... [SIZE]...\n"
	"Fills heaps of these sizes (default: 4 KiB, 64 KiB, 1 MiB, 64 MiB, 1 GiB, 8 GiB) and frees a\n"
	"quarter, again and again. Prints a table, separated by tabs, of how that develops.\n"
	"\n"
	"  -n, --operations=N  on each heap (default 2000000)\n"
	"  -s, --seconds=N     no longer than this on each heap (default 60)\n"
	"  -l, --lines=N       lines of the table for each heap (default 20)\n"
	"  -h, --help          this text\n"
	"\n"
	"Exit status: 0 done, 1 a heap is damaged, 2 usage or no memory.\n";

struct block {
	unsigned char *ptr;
	size_t size;
};

struct soak {
	bheap_t *heap;
	size_t size, size_max; /* of the heap; of a request */
	struct block *blocks;
	size_t count, capacity;
	size_t live_size; /* asked for */
	uint64_t random;
	uint64_t operations;
	uint64_t refusals; /* of this line: fillings that ended */
	double fullness;   /* their sum of live_size / size */
};

static struct {
	uint64_t operations, lines;
	double seconds;
} options = {2000000, 20, 60};

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "soak: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- blocks ---- */

/* The first and the last byte tell whose block it is. */
static void block_mark(const struct block *block)
{
	block->ptr[0] = block->ptr[block->size - 1] = (unsigned char)block->size;
}

static void block_verify(const struct block *block)
{
	if (block->ptr[0] != (unsigned char)block->size ||
	    block->ptr[block->size - 1] != (unsigned char)block->size)
		give_up("a block was changed");
}

static bool block_add(struct soak *soak)
{
	struct block block = {.size = random_size(&soak->random, 1, soak->size_max)};

	block.ptr = bheap_alloc(soak->heap, block.size);
	soak->operations++;
	if (!block.ptr)
		return false;
	if (soak->count == soak->capacity) {
		soak->capacity = soak->capacity ? soak->capacity * 2 : 1024;
		soak->blocks = realloc(soak->blocks, soak->capacity * sizeof(block));
		if (!soak->blocks)
			give_up("out of memory");
	}
	block_mark(&block);
	soak->live_size += block.size;
	soak->blocks[soak->count++] = block;
	return true;
}

static struct block *block_choose(struct soak *soak)
{
	struct block *block = &soak->blocks[random_below(&soak->random, (uint32_t)soak->count)];

	block_verify(block);
	return block;
}

static void block_drop(struct soak *soak)
{
	struct block *block = block_choose(soak);

	if (bheap_free(soak->heap, block->ptr))
		give_up("a block was refused");
	soak->operations++;
	soak->live_size -= block->size;
	*block = soak->blocks[--soak->count];
}

static void block_resize(struct soak *soak)
{
	struct block *block = block_choose(soak);
	size_t size = random_size(&soak->random, 1, soak->size_max);
	unsigned char *ptr = bheap_realloc(soak->heap, block->ptr, size);

	soak->operations++;
	if (!ptr)
		return;
	if (ptr[0] != (unsigned char)block->size)
		give_up("a resized block lost its content");
	soak->live_size += size - block->size;
	*block = (struct block){ptr, size};
	block_mark(block);
}

/* ---- one heap ---- */

static void fill_and_thin(struct soak *soak)
{
	while (block_add(soak))
		;
	soak->refusals++;
	soak->fullness += (double)soak->live_size / (double)soak->size;
	for (size_t left = soak->count / 4; left && soak->count; left--)
		if (random_below(&soak->random, 8))
			block_drop(soak);
		else
			block_resize(soak);
}

static void line_print(struct soak *soak, double seconds)
{
	struct bheap_stats stats;
	struct bheap_fault fault;

	if (bheap_check(soak->heap, &fault))
		give_up(fault.text);
	bheap_stats(soak->heap, &stats);
	printf("%zu\t%ju\t%.2f\t%zu\t%zu\t%.4f\t%.4f\n", soak->size, (uintmax_t)soak->operations,
	       seconds, stats.live_blocks, stats.free_blocks,
	       soak->fullness / (double)soak->refusals, stats.fragmentation);
	fflush(stdout);
	soak->refusals = 0;
	soak->fullness = 0;
}

static void heap_soak(size_t size)
{
	struct soak soak = {.heap = bheap_create(size, BHEAP_UNLOCKED), .random = 4711};
	struct bheap_stats stats;
	double start = now(), seconds = 0;

	if (!soak.heap)
		give_up("a heap could not be made");
	bheap_stats(soak.heap, &stats);
	soak.size = stats.size;
	soak.size_max = size / 512 < 256 ? 256 : size / 512;
	for (uint64_t line = 1; line <= options.lines && seconds < options.seconds; line++) {
		do {
			fill_and_thin(&soak);
			seconds = now() - start;
		} while (soak.operations < options.operations * line / options.lines &&
			 seconds < options.seconds * (double)line / (double)options.lines);
		line_print(&soak, seconds);
	}
	free(soak.blocks);
	bheap_destroy(soak.heap);
}

/* ---- the command line ---- */

static void options_read(int argc, char **argv)
{
	static const struct option known[] = {{"operations", required_argument, NULL, 'n'},
					      {"seconds", required_argument, NULL, 's'},
					      {"lines", required_argument, NULL, 'l'},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	int option;

	while ((option = getopt_long(argc, argv, "n:s:l:h", known, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			exit(0);
		}
		if (option == 'n')
			options.operations = strtoull(optarg, NULL, 10);
		else if (option == 's')
			options.seconds = strtod(optarg, NULL);
		else if (option == 'l')
			options.lines = strtoull(optarg, NULL, 10);
		if (option == '?' || !options.operations || !options.lines) {
			fputs(help, stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	static const unsigned long long sizes[] = {4096,     64 << 10, 1 << 20,
						   64 << 20, 1 << 30,  8ull << 30};

	options_read(argc, argv);
	puts("heap\toperations\tseconds\tlive_blocks\tfree_blocks\tfullness\tfragmentation");
	for (int index = optind; index < argc; index++)
		heap_soak(strtoul(argv[index], NULL, 0));
	for (size_t index = 0; optind == argc && index < sizeof(sizes) / sizeof(*sizes); index++)
		if (sizes[index] <= BHEAP_SIZE_MAX)
			heap_soak((size_t)sizes[index]);
	return 0;
}
