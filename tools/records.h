/* SPDX-License-Identifier: MIT */
/*
 * records.h - the records that processes under libbheap-malloc leave in a folder (ledger.h), read.
 */
#ifndef TOOLS_RECORDS_H
#define TOOLS_RECORDS_H

#include <stddef.h>
#include <stdint.h>

enum figure {
	FIGURE_PARENT,
	FIGURE_ENDED, /* 0: the process ended without telling; its last figures known */
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
	FIGURES,
};

extern const char *const figure_names[FIGURES];

struct record {
	long pid;
	char program[80];
	uint64_t figures[FIGURES];
};

struct records {
	struct record *list; /* by process number */
	size_t count;
};

/* Makes an empty folder for them below TMPDIR; its path, or NULL after a message. */
char *records_folder_make(void);

/* Reads the records in the folder. What is none is left out. */
void records_read(struct records *records, const char *folder);

/* Removes the folder and what is in it. */
void records_folder_remove(const char *folder);

const struct record *records_find(const struct records *records, long pid);
void records_release(struct records *records);

#endif
