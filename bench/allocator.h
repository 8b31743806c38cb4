/* SPDX-License-Identifier: MIT */
/*
 * allocator.h - an allocator as the benchmarks see it, and the loop that replays a trace through
 * it.
 *
 * The loop is one for all allocators and calls through pointers, so that what it costs is the same
 * for all; each entry is a one-line wrapper whose call the compiler turns into a jump.
 */
#ifndef BENCH_ALLOCATOR_H
#define BENCH_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/trace.h"

struct allocator {
	const char *name;
	bool bounded;        /* lives inside a region of a given size */
	unsigned flags;      /* libbheap: of bheap_create_in() */
	size_t region_min;   /* bounded: what it needs at least when time is measured */
	const void *library; /* those loaded at run time: their entries */

	/*
	 * Makes a heap in a region, which allocators that are not bounded ignore; NULL: it cannot.
	 */
	void *(*open)(const struct allocator *allocator, void *region, size_t size);
	void (*close)(void *heap);

	void *(*alloc)(void *heap, size_t size);
	void *(*align)(void *heap, size_t alignment, size_t size);
	void *(*resize)(void *heap, void *block, size_t size);
	void (*release)(void *heap, void *block);
};

/*
 * Replays a trace; blocks has trace->slot_count entries, all NULL before. How many operations were
 * done: trace->op_count, or fewer when that one was refused for want of room.
 */
size_t replay_run(const struct allocator *allocator, void *heap, const struct trace *trace,
		  void **blocks);

/* Frees what a replay left. */
void replay_drain(const struct allocator *allocator, void *heap, const struct trace *trace,
		  void **blocks);

/*
 * The smallest region in which the trace completes, found by bisection to within 1/16384 of it; 0
 * when there is none up to 16 times the peak.
 */
size_t replay_fit(const struct allocator *allocator, const struct trace *trace);

/* A region for measuring time: trace->room_size, or four times the peak and some. */
size_t replay_room(const struct trace *trace);

extern const struct allocator allocator_bheap; /* flags: as the caller sets in a copy */

#endif
