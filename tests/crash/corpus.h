/* SPDX-License-Identifier: MIT */
/*
 * corpus.h - the operations that are cut short: each with the expect it plays in and what it may
 * change there. Together they take every path through the library that stores to a shared heap.
 */
#ifndef CRASH_CORPUS_H
#define CRASH_CORPUS_H

#include "expect.h"

enum operation_traits {
	OPENS = 1u << 0,     /* works on the file: the worker is not attached before */
	MAKES = 1u << 1,     /* ... and the file is empty, or not there yet */
	NAMED = 1u << 2,     /* ... and opens it by name */
	REBUILDS = 1u << 3,  /* what it rebuilds, opening the heap alone would rebuild too */
	AWAITED = 1u << 4,   /* also tried with a process waiting for the lock meanwhile */
	RECOVERED = 1u << 5, /* the recovery from a death in it is cut short too: from every fourth
				state */
	CLOSELY = 1u << 6,   /* ... from each of them, for one alone may show what is wrong */
	SOLE = 1u << 7,      /* only done where no other process is attached */
};

struct operation {
	const char *name;
	/* Sets the expect; runs whole, in a process that outlives the test. */
	void (*prepare)(struct expect *expect, bheap_t *heap);
	/* What the worker does; tells expect->result, which is held against expect->expected. */
	void (*run)(struct expect *expect, bheap_t *heap);
	unsigned traits;
	unsigned needs; /* flags without which it means nothing */
};

extern const struct operation corpus[];
extern const unsigned corpus_count;

/* Two ways to the recovery of a heap in which a process died: by the lock, and by opening it. */
extern const struct operation recovery_by_lock, recovery_by_open;

#endif
