/* SPDX-License-Identifier: MIT */
/*
 * sizing.h - how large a heap a trace needs: the trace is replayed in heaps of many sizes. Refuses
 * to know where traces come from and how answers are shown.
 */
#ifndef TOOLS_SIZING_H
#define TOOLS_SIZING_H

#include <bheap.h>

#include "trace.h"

struct variant {
	const char *name;  /* for JSON */
	const char *title; /* for people */
	unsigned flags;
	bool in_buffer;  /* bheap_create_in(): the size has the bookkeeping in it */
	bool in_library; /* libbheap-malloc.so, as 'bheap run' has it */
	size_t slack;    /* the least that a margin comes to, in bytes */
};

/* The smallest heap is found to so many bytes. */
#define SIZING_PAGE ((size_t)4096)

/* The path of libbheap-malloc.so, for variants in it; false if nothing can be replayed there. */
bool sizing_set_library(const char *path);

/*
 * The smallest heap in which the whole trace succeeds, to a page; 0 when not even the largest does.
 * Each size that is returned was tried.
 */
size_t sizing_smallest(const struct variant *variant, const struct trace *trace);

bool sizing_suffices(const struct variant *variant, const struct trace *trace, size_t size);

/* The size from a wish on, a little larger if need be, in which the trace succeeds; 0: none. */
size_t sizing_confirm(const struct variant *variant, const struct trace *trace, size_t wish);

/* One moment of a replay. */
struct moment {
	size_t op;   /* just after this one */
	size_t live; /* bytes asked for and not freed */
	size_t used; /* bytes of the heap in live blocks */
	size_t largest_free;
};

/*
 * Replays in a heap of this size and takes a moment in each of count stretches of equal length
 * (count is at most the number of operations): when most bytes are live. False if there is no room.
 */
bool sizing_watch(const struct variant *variant, const struct trace *trace, size_t size,
		  struct moment *moments, size_t count);

#endif
