/* SPDX-License-Identifier: MIT */
/*
 * trace.h - allocation traces: what a program asked of its allocator, decoded into an array.
 *
 * Owns the text format (see README.md) and its checks; knows no allocator. A trace that was loaded
 * or built is sound: a block is resized and freed only while it is live. Sizes are in bytes.
 */
#ifndef BENCH_TRACE_H
#define BENCH_TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "tally.h"

enum trace_kind { TRACE_ALLOC, TRACE_ALIGNED, TRACE_RESIZE, TRACE_FREE };
#define TRACE_KINDS (TRACE_FREE + 1)

/* One operation, 16 bytes or less. slot is the block's number in the trace. */
struct trace_op {
	uint32_t slot;
	uint8_t kind;
	uint8_t alignment_log2; /* TRACE_ALIGNED only */
	size_t size;            /* not of TRACE_FREE; a resize to 0 is kept as one to 1 */
};

struct trace {
	char *name; /* for tables: the file's name without folders and endings */
	struct trace_op *ops;
	size_t op_count;
	size_t counts[TRACE_KINDS];
	uint32_t slot_count; /* slots are below this */
	size_t peak_size;    /* the most bytes asked for and live at one time */
	size_t peak_blocks;  /* the most blocks live at one time */
	struct tally tally;  /* of a recording */
	uint64_t resident;   /* bytes of the process that was recorded, at most; 0: not known */
	size_t room_size;    /* the region to measure time in; 0: the program decides */
	uint32_t threads;    /* that lived at one time, at most; 0: not known */

	/* while it is built */
	uint64_t *live_sizes; /* by slot: size + 1 of a live block, else 0 */
	size_t live_size, live_blocks;
	size_t op_room;
	uint32_t slot_room;
};

/*
 * Reads a trace, plain or gzip-compressed. 0; or -1 after one line to standard error that names
 * file and line.
 */
int trace_load(struct trace *trace, const char *path);

/* Begins a trace to be built by trace_append(). */
void trace_begin(struct trace *trace, const char *name);

/* Adds one operation. NULL, or what is wrong with it. Ends the program when memory runs out. */
const char *trace_append(struct trace *trace, struct trace_op op);

void trace_release(struct trace *trace);

#endif
