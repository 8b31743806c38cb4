/* SPDX-License-Identifier: MIT */
/*
 * holdings.h - what each stack of calls holds at one moment of a trace: the bytes that it asked for
 * and that were not freed.
 */
#ifndef TOOLS_HOLDINGS_H
#define TOOLS_HOLDINGS_H

#include "calls.h"
#include "trace.h"

struct holding {
	uint32_t stack;
	uint64_t bytes, blocks;
};

struct holdings {
	struct holding *list; /* one for each stack that holds a block */
	size_t count;
	uint64_t bytes, blocks; /* of all */
};

/* After how many operations the trace first had most bytes. */
size_t holdings_peak(const struct trace *trace);

/* After so many operations. */
void holdings_make(struct holdings *holdings, const struct trace *trace, const struct calls *calls,
		   size_t op_count);

void holdings_release(struct holdings *holdings);

#endif
