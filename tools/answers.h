/* SPDX-License-Identifier: MIT */
/*
 * answers.h - what "bheap size" answers: for each kind of heap the smallest size that suffices for
 * all recorded runs, and one with a margin. Refuses to know how runs are recorded.
 */
#ifndef TOOLS_ANSWERS_H
#define TOOLS_ANSWERS_H

#include <stdbool.h>
#include <stdio.h>

#include "recording.h"
#include "sizing.h"

struct json_object;

enum answer_kind { ANSWER_RUN, ANSWER_PRIVATE, ANSWER_GUARDED, ANSWER_IN_BUFFER, ANSWER_KINDS };

extern const struct variant variants[ANSWER_KINDS];

struct answer {
	size_t smallest; /* for all runs; 0: not known */
	size_t least;    /* for the run that needs least, where each was sized */
	size_t recommended;
};

struct answers {
	struct answer list[ANSWER_KINDS];
	unsigned margin;             /* per cent */
	const struct trace *largest; /* of the process that needs most, in any run */
	size_t runs;
};

/* False after a message. Of ANSWER_RUN nothing is told where the library cannot be preloaded. */
bool answers_find(struct answers *answers, const struct recording *runs, size_t count);

void answers_print(FILE *stream, const struct answers *answers);
struct json_object *answers_json(const struct answers *answers);

#endif
