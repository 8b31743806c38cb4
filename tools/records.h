/* SPDX-License-Identifier: MIT */
/*
 * records.h - what processes under libbheap-malloc left in the table that bheap shares with them
 * (account.h), read when the program has ended. Nothing in it is trusted.
 */
#ifndef TOOLS_RECORDS_H
#define TOOLS_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "handover.h"

enum figure {
	FIGURE_PARENT,
	FIGURE_ENDED, /* 0: the process ended without telling, or runs: the figures may be old */
	FIGURE_SIZE,
	FIGURE_USED,
	FIGURE_FREE,
	FIGURE_LARGEST_FREE,
	FIGURE_LIVE_BLOCKS,
	FIGURE_FREE_BLOCKS,
	FIGURE_PEAK_USED,
	FIGURE_EXTENT,
	FIGURE_ALLOCATIONS,
	FIGURE_FREES,
	FIGURE_FAILURES,
	FIGURE_FAULTS,
	FIGURE_LARGEST_HOLE, /* largest free block within the extent */
	FIGURE_LARGEST_REFUSED,
	FIGURES,
};

extern const char *const figure_names[FIGURES];

struct record {
	struct table_process process;
	char program[32];
	bool forked;   /* by fork(2): it began with the heap of its parent */
	bool walked;   /* the figures of free blocks are known */
	bool replaced; /* it executed another program */
	size_t snapshot_size;
	uint64_t resident; /* bytes at most, with code and mappings; 0: not known */
	uint64_t figures[FIGURES];
};

struct records {
	struct record *list; /* in the order in which they began */
	size_t count;
	size_t missed;  /* processes that the table had no room for */
	size_t running; /* processes that run on, or may */
	bool unsure;    /* whether they do */
	uint64_t peak;  /* the most bytes in use in all heaps at one time */
	bool at_most;   /* it may have been less */
};

/*
 * To be called now and then while the program runs: what a process had that was killed is no longer
 * counted as in use.
 */
void records_watch(void *handover);

void records_read(struct records *records, const struct handover *handover);

/* The last program that a process executed. */
const struct record *records_find(const struct records *records, struct table_process process);
void records_release(struct records *records);

#endif
