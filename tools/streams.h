/* SPDX-License-Identifier: MIT */
/*
 * streams.h - the recordings that processes left in the area (stream.h), read when they have ended:
 * which there are, and the lines of one. Nothing in them is trusted.
 */
#ifndef TOOLS_STREAMS_H
#define TOOLS_STREAMS_H

#include "handover.h"
#include "stream.h"

/* One recording. */
struct stream_summary {
	uint32_t slot;
	struct table_process process;
	char program[32];
	uint64_t peak;     /* bytes in live blocks at most, as glibc has them */
	uint64_t resident; /* bytes at most, with code and mappings; 0: not known */
	uint32_t threads;  /* that lived at one time, at most */
	int error;         /* errno if it was cut short, else 0 */
	bool replaced;     /* the process executed another program, which registered */
	bool executes;     /* one that did not */
};

struct streams {
	struct stream_summary *list; /* those that recorded anything, or were forked */
	size_t count;
	size_t processes; /* a process that executed others has several */
	size_t missed;    /* processes that the table had no room for */
	size_t best; /* that of the largest peak, the first of several; valid if count is not 0 */
};

void streams_find(struct streams *streams, const struct handover *handover);
/* The errno with which a process could record no more; 0: none. */
int streams_error(const struct handover *handover);
/* True if a process recorded anything itself. */
bool streams_have(const struct handover *handover, struct table_process process);

void streams_release(struct streams *streams);

/*
 * Calls line_take() with each line of a recording, that of its parent up to the fork first, until
 * it does not return NULL: returns that, or NULL.
 */
const char *streams_read(const struct handover *handover, uint32_t slot,
			 const char *(*line_take)(void *arg, const char *line), void *arg);

#endif
