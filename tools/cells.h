/* SPDX-License-Identifier: MIT */
/*
 * cells.h - a heap cut into cells of equal size, and what lies in each: the ground of every map.
 */
#ifndef TOOLS_CELLS_H
#define TOOLS_CELLS_H

#include "picture.h"

enum kind {
	KIND_FREE,
	KIND_SMALL,  /* blocks up to 64 bytes */
	KIND_MEDIUM, /* up to 1 KiB */
	KIND_LARGE,  /* up to 64 KiB */
	KIND_HUGE,
	KIND_GUARD, /* what guards and owners' marks take */
	KINDS,
};

extern const char *const kind_names[KINDS];

struct cell {
	uint32_t bytes[KINDS];
};

struct cells {
	uint64_t cell_size; /* a power of two of at least BHEAP_ALIGNMENT */
	uint64_t covered;   /* bytes of the heap that the cells show */
	size_t count;
	struct cell *list;
	uint64_t totals[KINDS]; /* of what is covered */
};

/* At most so many cells, for the heap up to its last used block, or whole. */
void cells_make(struct cells *cells, const struct picture *picture, size_t count_max, bool whole);
void cells_release(struct cells *cells);

/* The used bytes of a cell, and the kind that has most of them; KIND_FREE where none is used. */
uint64_t cell_used(const struct cell *cell);
enum kind cell_kind(const struct cell *cell);

#endif
