/* SPDX-License-Identifier: MIT */
/*
 * interval.h - a line every so often about the processes that run under "bheap run": what is in use
 * in all their heaps. Read from their memory as far as that may be read, else from their records,
 * which may be old: such lines are marked.
 */
#ifndef TOOLS_INTERVAL_H
#define TOOLS_INTERVAL_H

#include "handover.h"

struct interval {
	double seconds; /* 0: no lines are wanted */
	FILE *stream;
	bool json; /* an object a line */
	struct handover *handover;
	double begun, next;
	uint64_t peak;
	size_t lines;
	bool old_explained, changing_explained;
};

/* False after a message for what is no time. */
bool interval_parse(struct interval *interval, const char *text);

void interval_begin(struct interval *interval, FILE *stream, bool json, struct handover *handover);

/* To be called as records_watch(), which it calls; prints a line if it is time. */
void interval_watch(void *interval);

#endif
