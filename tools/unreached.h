/* SPDX-License-Identifier: MIT */
/*
 * unreached.h - programs that processes executed (execution.h) and that our library was not
 * preloaded into, or serves no malloc() of, with the reason as far as it is known. Read when the
 * program has ended. Nothing in the table is trusted.
 */
#ifndef TOOLS_UNREACHED_H
#define TOOLS_UNREACHED_H

#include <stdbool.h>
#include <stdio.h>

#include "handover.h"

struct json_object;

/* Executions of one program by another one, for one reason. */
struct unreached_program {
	char caller[32];
	char path[TABLE_PATH]; /* or a name that PATH was searched for */
	const char *reason;    /* a sentence that begins with "it" */
	size_t count;
	bool own;        /* in the process that bheap started */
	bool registered; /* but has a malloc() of its own */
};

struct unreached {
	struct unreached_program *list;
	size_t count;
};

/*
 * own: the process that bheap started. figure: the index of one that is 0 in the slots of
 * programs that allocated nothing.
 */
void unreached_find(struct unreached *unreached, const struct handover *handover,
		    struct table_process own, unsigned figure);

/* What the process that bheap started executed, or NULL. */
const struct unreached_program *unreached_own(const struct unreached *unreached, bool registered);

/* The last part of its path. */
const char *unreached_name(const struct unreached_program *program);

/* Two lines for each: it "was not VERB"; with_own: also of what unreached_own() returns. */
void unreached_print(FILE *stream, const struct unreached *unreached, const char *verb,
		     bool with_own);

struct json_object *unreached_json(const struct unreached *unreached);

void unreached_release(struct unreached *unreached);

#endif
