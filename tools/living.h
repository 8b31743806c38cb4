/* SPDX-License-Identifier: MIT */
/*
 * living.h - the heap of libbheap-malloc in a process that runs: its statistics and its blocks,
 * read from outside. The library's note (lib/handle/note.h) tells where they lie. Nothing that is
 * read is trusted; the process is neither stopped nor changed.
 */
#ifndef TOOLS_LIVING_H
#define TOOLS_LIVING_H

#include <bheap.h>

#include "picture.h"
#include "process.h"

#define LIVING_FIELDS_MOST 128

struct living_field {
	char name[24];
	uint16_t offset;
	uint16_t size; /* 0: the offset is a constant */
};

struct living {
	const struct process *process;
	struct living_field fields[LIVING_FIELDS_MOST];
	size_t field_count;
	uint64_t root; /* where the library keeps the heap's address, and the faults it found */
};

/* NULL, or why there is no heap to be read; *denied: it may not be read. */
const char *living_find(struct living *living, const struct process *process, bool *denied);

/*
 * All but what only the blocks tell: free blocks are 0. What the caches of threads have is free.
 * *changing: heap and caches changed each time that they were read, and may not agree. False if it
 * could not be read.
 */
bool living_stats(const struct living *living, struct bheap_stats *stats, bool *changing);

/*
 * Statistics and blocks. *changing: the heap changed each time that it was read, so that they may
 * be of different moments. False if it could not be read.
 */
bool living_picture(const struct living *living, struct picture *picture, bool *changing);

#endif
