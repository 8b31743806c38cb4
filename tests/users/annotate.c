/* SPDX-License-Identifier: MIT */
/*
 * annotate.c - what memcheck and AddressSanitizer must report of heap memory, one misuse a
 * function, and what they must not. Knows the public header alone. Usage: annotate misuses HEAP
 * commits all; HEAP: default, mapped, static, malloced, guarded annotate valid HEAP     commits
 * none annotate memcheck|asan HEAP   what this tool must report: a function and a kind of report a
 * line
 */
#define _GNU_SOURCE /* fopencookie() */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bheap.h"

#define HEAP_SIZE (256 * 1024)
#define MISUSE static __attribute__((noinline, noclone)) void

static bheap_t *heap;

static void *volatile kept[256];
static size_t kept_count;

/* What is kept is no leak. */
static void *keep(void *block)
{
	kept[kept_count++ % (sizeof(kept) / sizeof(*kept))] = block;
	return block;
}

/* The default heap by its own functions. */
static void *allocate(size_t size)
{
	return heap == bheap_default() ? balloc(size) : bheap_alloc(heap, size);
}

static void *take(size_t size)
{
	return keep(allocate(size));
}

static void give(void *block)
{
	if (heap == bheap_default() ? bfree(block) : bheap_free(heap, block))
		abort();
}

static volatile char sink;

/* ---- misuses ---- */

/* A block with live ones on both sides, when the heap puts them there. */
static volatile char *block_between(size_t size)
{
	volatile char *block;

	give(take(size));
	take(size);
	block = take(size);
	take(size);
	memset((char *)(uintptr_t)block, 1, size);
	return block;
}

MISUSE write_behind_an_odd_size(void)
{
	block_between(21)[21] = 1;
}

MISUSE read_behind_an_odd_size(void)
{
	sink = block_between(40)[40];
}

MISUSE write_far_behind_into_free_memory(void)
{
	volatile char *block = take(4096);

	give(take(5000));
	block[4096 + 512] = 1;
}

MISUSE read_in_front(void)
{
	char *previous = take(64);
	volatile char *block = take(64);

	give(previous);
	sink = block[-1];
}

MISUSE write_after_free(void)
{
	volatile char *block = block_between(48);

	give((char *)(uintptr_t)block);
	block[20] = 1;
}

MISUSE read_after_free(void)
{
	volatile char *block = block_between(2000);

	give((char *)(uintptr_t)block);
	sink = block[1999];
}

MISUSE read_where_a_block_moved_from(void)
{
	volatile char *block = block_between(100);
	char *moved = keep(bheap_realloc(heap, (char *)(uintptr_t)block, 9000));

	if (!moved || moved == block)
		abort();
	sink = block[50];
}

MISUSE write_behind_a_shrunk_block(void)
{
	volatile char *block = keep(bheap_realloc(heap, (char *)(uintptr_t)block_between(500), 33));

	block[33] = 1;
}

MISUSE write_behind_an_array(void)
{
	volatile char *block = keep(bheap_calloc(heap, 5, 5));

	block[25] = 1;
}

MISUSE write_behind_an_aligned_block(void)
{
	volatile char *block = keep(bheap_aligned_alloc(heap, 256, 100));

	block[100] = 1;
}

MISUSE write_where_no_block_was_yet(void)
{
	struct bheap_stats stats;
	volatile char *block = take(16);

	bheap_stats(heap, &stats);
	block[16 + stats.largest_free / 2] = 1;
}

/* ---- misuses in the functions of the program that a heap calls ---- */

/* A block that is free, for them to write to. */
static volatile char *stale;

static void stale_make(void)
{
	stale = block_between(48);
	give((char *)(uintptr_t)stale);
}

MISUSE write_after_free_in_a_walk(void)
{
	stale[20] = 1;
}

static int walk_misuse(const struct bheap_block *block, void *arg)
{
	(void)arg;
	write_after_free_in_a_walk();
	return block->used;
}

static void walk_badly(void)
{
	stale_make();
	if (bheap_walk(heap, walk_misuse, NULL) != 1)
		abort();
}

MISUSE write_after_free_in_a_stream(void)
{
	stale[21] = 1;
}

static ssize_t stream_misuse(void *cookie, const char *bytes, size_t size)
{
	(void)cookie;
	(void)bytes;
	write_after_free_in_a_stream();
	return (ssize_t)size;
}

static void display_badly(void)
{
	const cookie_io_functions_t functions = {.write = stream_misuse};
	FILE *stream = fopencookie(NULL, "w", functions);

	stale_make();
	if (!stream || bheap_display(heap, stream) || fclose(stream))
		abort();
}

MISUSE write_after_free_in_a_handler(void)
{
	stale[22] = 1;
}

static void handle_misuse(const struct bheap_fault *fault, void *arg)
{
	(void)fault;
	(void)arg;
	write_after_free_in_a_handler();
}

static void handle_badly(void)
{
	stale_make();
	bheap_set_fault_handler(heap, handle_misuse, NULL);
	if (!bheap_free(heap, (char *)(uintptr_t)stale))
		abort();
	bheap_set_fault_handler(heap, NULL, NULL);
}

/* ---- more misuses ---- */

/* The block ends with its granule, and a live one follows. */
MISUSE write_one_byte_too_far(void)
{
	block_between(64)[64] = 1;
}

MISUSE read_one_byte_too_far(void)
{
	sink = block_between(160)[160];
}

MISUSE write_behind_all_that_is_usable(void)
{
	volatile char *block = block_between(50);
	size_t usable = bheap_usable_size(heap, (char *)(uintptr_t)block);

	block[usable] = 1;
}

MISUSE write_behind_a_block_that_grew(void)
{
	volatile char *block = take(64);

	block = keep(bheap_realloc(heap, (char *)(uintptr_t)block, 1600));
	take(16);
	block[1600] = 1;
}

/* Into the bookkeeping: an inaccessible page lies there in a heap of a mapping of its own. */
MISUSE write_in_front_of_all_blocks(void)
{
	((volatile char *)bheap_pointer(heap, BHEAP_ALIGNMENT))[-1] = 1;
}

MISUSE branch_on_an_unwritten_byte(void)
{
	volatile char *block = take(64);

	if (block[63])
		sink = 1;
}

MISUSE branch_on_what_a_block_grew_by(void)
{
	volatile char *block = take(64);

	memset((char *)(uintptr_t)block, 0, 64);
	block = keep(bheap_realloc(heap, (char *)(uintptr_t)block, 3000));
	if (block[64])
		sink = 1;
}

MISUSE branch_on_what_a_former_block_held(void)
{
	volatile char *block = block_between(80);

	give((char *)(uintptr_t)block);
	block = take(80);
	if (block[40])
		sink = 1;
}

/* Several: the last one's address may still lie in a register. */
MISUSE lose_blocks(void)
{
	for (int count = 0; count < 5; count++)
		memset(allocate(100), 1, 100);
}

static const struct misuse {
	const char *name;
	void (*commit)(void);
	const char *memcheck, *asan; /* what they report; NULL: nothing */
	bool in_buffer;              /* in a heap in a buffer alone */
} misuses[] = {
#define ROW(misuse, ...) ROW_BY(misuse, misuse, __VA_ARGS__)
#define ROW_BY(commit, misuse, ...)                                                                \
	{                                                                                          \
#misuse, commit, __VA_ARGS__                                                       \
	}
	/* First: the tools report what follows, too. */
	ROW_BY(walk_badly, write_after_free_in_a_walk, "Invalid write", "WRITE", false),
	ROW_BY(display_badly, write_after_free_in_a_stream, "Invalid write", "WRITE", false),
	ROW_BY(handle_badly, write_after_free_in_a_handler, "Invalid write", "WRITE", false),
	ROW(write_behind_an_odd_size, "Invalid write", "WRITE", false),
	ROW(read_behind_an_odd_size, "Invalid read", "READ", false),
	ROW(write_far_behind_into_free_memory, "Invalid write", "WRITE", false),
	ROW(read_in_front, "Invalid read", "READ", false),
	ROW(write_after_free, "Invalid write", "WRITE", false),
	ROW(read_after_free, "Invalid read", "READ", false),
	ROW(read_where_a_block_moved_from, "Invalid read", "READ", false),
	ROW(write_behind_a_shrunk_block, "Invalid write", "WRITE", false),
	ROW(write_behind_an_array, "Invalid write", "WRITE", false),
	ROW(write_behind_an_aligned_block, "Invalid write", "WRITE", false),
	ROW(write_where_no_block_was_yet, "Invalid write", "WRITE", false),
	ROW(write_one_byte_too_far, "Invalid write", "WRITE", false),
	ROW(read_one_byte_too_far, "Invalid read", "READ", false),
	ROW(write_behind_all_that_is_usable, "Invalid write", "WRITE", false),
	ROW(write_behind_a_block_that_grew, "Invalid write", "WRITE", false),
	ROW(write_in_front_of_all_blocks, "Invalid write", "WRITE", true),
	ROW(branch_on_an_unwritten_byte, "Conditional jump", NULL, false),
	ROW(branch_on_what_a_block_grew_by, "Conditional jump", NULL, false),
	ROW(branch_on_what_a_former_block_held, "Conditional jump", NULL, false),
	ROW(lose_blocks, "definitely lost", NULL, false),
#undef ROW
};

#define MISUSES (sizeof(misuses) / sizeof(*misuses))

static bool is_in_buffer(const char *kind)
{
	return !strcmp(kind, "static") || !strcmp(kind, "malloced");
}

static void misuses_commit(const char *kind)
{
	for (size_t index = 0; index < MISUSES; index++)
		if (!misuses[index].in_buffer || is_in_buffer(kind))
			misuses[index].commit();
}

static void misuses_list(bool memcheck, const char *kind)
{
	for (size_t index = 0; index < MISUSES; index++) {
		const char *report = memcheck ? misuses[index].memcheck : misuses[index].asan;

		if (report && (!misuses[index].in_buffer || is_in_buffer(kind)))
			printf("%s %s\n", misuses[index].name, report);
	}
}

/* ---- valid use ---- */

static void expect(bool condition)
{
	if (!condition)
		abort();
}

static unsigned sum_of(const unsigned char *bytes, size_t size)
{
	unsigned sum = 0;

	while (size--)
		sum += *bytes++;
	return sum;
}

/* All that the heap says one may use is usable, and what was written stays defined. */
static void use_whole(unsigned char *block, size_t written)
{
	size_t usable = bheap_usable_size(heap, block);

	expect(usable >= written && sum_of(block, written) == written);
	memset(block + written, 1, usable - written);
	expect(sum_of(block, usable) == usable);
}

static unsigned char *take_ones(size_t size)
{
	return memset(take(size), 1, size);
}

static void resize_honestly(void)
{
	unsigned char *block = take_ones(100), *barrier;

	block = bheap_realloc(heap, block, 1000); /* into the free memory after it */
	use_whole(block, 100);
	block = bheap_realloc(heap, block, 37);
	use_whole(block, 37);
	barrier = take_ones(16);
	block = bheap_realloc(heap, block, 1500); /* by moving */
	use_whole(block, 37);
	block = bheap_realloc(heap, block, 0);
	use_whole(block, 0);
	give(block);
	use_whole(barrier, 16);
	give(barrier);
}

/* A block that has no room to move to slides down over the free one before it. */
static void slide_honestly(void)
{
	size_t half = HEAP_SIZE / 4;
	unsigned char *previous = take(half), *block = take_ones(half), *last = take_ones(16);
	struct bheap_stats stats;
	void *rest;

	bheap_stats(heap, &stats);
	rest = take(stats.largest_free - 32);
	give(previous);
	block = bheap_realloc(heap, block, half + half / 2);
	expect(block && block[half - 1] == 1);
	use_whole(block, half);
	give(block);
	give(last);
	give(rest);
}

static void work_honestly(void)
{
	unsigned char *blocks[40];

	for (size_t round = 0; round < 3; round++) {
		for (size_t index = 0; index < 40; index++) {
			blocks[index] = take_ones(1 + index * 13);
			use_whole(blocks[index], 1 + index * 13);
		}
		for (size_t index = round % 2; index < 40; index += 2)
			give(blocks[index]);
		expect(!bheap_check(heap, NULL));
		for (size_t index = !(round % 2); index < 40; index += 2)
			give(blocks[index]);
	}
}

static void zeros_and_alignments(void)
{
	unsigned char *block;

	block = take_ones(4000);
	give(block);
	block = bheap_calloc(heap, 10, 400);
	expect(!sum_of(block, 4000));
	give(block);
	for (size_t alignment = 1; alignment <= 8192; alignment *= 2) {
		block = bheap_aligned_alloc(heap, alignment, 77);
		expect(block && !((uintptr_t)block % alignment));
		memset(block, 1, 77);
		use_whole(block, 77);
		give(block);
	}
}

static int block_look(const struct bheap_block *block, void *arg)
{
	*(size_t *)arg += block->used;
	return 0;
}

static void looks(void)
{
	void *block = take_ones(50);
	size_t count = 0;
	FILE *nowhere = fopen("/dev/null", "w");

	expect(!bheap_walk(heap, block_look, &count) && count == 1);
	expect(!bheap_display(heap, nowhere) && !fclose(nowhere));
	bheap_trim(heap);
	use_whole(block, 50);
	give(block);
}

static void be_honest(void)
{
	resize_honestly();
	slide_honestly();
	work_honestly();
	zeros_and_alignments();
	looks();
	expect(!bheap_check(heap, NULL));
}

/* ---- heaps ---- */

static char buffer[HEAP_SIZE];
static void *malloced; /* held to the end: without a malloc() block memcheck looks for no leaks */

static bheap_t *heap_make(const char *kind)
{
	if (!strcmp(kind, "default"))
		return init_heap(HEAP_SIZE) ? NULL : bheap_default();
	if (!strcmp(kind, "mapped"))
		return bheap_create(HEAP_SIZE, 0);
	if (!strcmp(kind, "static"))
		return bheap_create_in(buffer + 1, HEAP_SIZE - 1, 0);
	if (!strcmp(kind, "malloced"))
		return bheap_create_in(malloced, HEAP_SIZE, BHEAP_UNLOCKED);
	return bheap_create(HEAP_SIZE, BHEAP_GUARD);
}

/* A buffer is its owner's again, to the last byte. */
static void heap_end(const char *kind)
{
	if (heap == bheap_default())
		return;
	expect(!bheap_destroy(heap));
	if (!strcmp(kind, "static"))
		memset(buffer, 1, HEAP_SIZE);
	else if (!strcmp(kind, "malloced"))
		memset(malloced, 1, HEAP_SIZE);
}

int main(int argc, char **argv)
{
	const char *what = argc == 3 ? argv[1] : "", *kind = argc == 3 ? argv[2] : "";

	if (!strcmp(what, "memcheck") || !strcmp(what, "asan")) {
		misuses_list(*what == 'm', kind);
		return 0;
	}
	malloced = malloc(HEAP_SIZE);
	heap = heap_make(kind);
	expect(malloced && heap);
	if (!strcmp(what, "misuses")) {
		misuses_commit(kind);
	} else {
		be_honest();
		heap_end(kind);
	}
	return 0;
}
