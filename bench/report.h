/* SPDX-License-Identifier: MIT */
/*
 * report.h - what compare measured, as tables for people and as a file for programs.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "peers.h"
#include "tools/trace.h"

struct report {
	const struct peers *peers;
	const struct trace *traces;
	size_t trace_count;
	size_t recorded_count; /* the first ones; the rest are made up */
	size_t rounds;
	double *seconds;       /* [trace][peer][round]; NAN: the allocator refused an operation */
	size_t *smallest_size; /* [trace][peer]; 0: not bounded, or no region is enough; NULL: not
				  sought */
};

void report_print(const struct report *report, FILE *stream);

/* One line for each trace and allocator, tab-separated, under a line of column names. */
void report_write(const struct report *report, FILE *stream);

/* True if an allocator completed all rounds of a trace. */
bool report_completed(const struct report *report, size_t trace, size_t peer);

#endif
