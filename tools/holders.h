/* SPDX-License-Identifier: MIT */
/*
 * holders.h - who holds the memory of a recorded program: the places that hold most at its peak and
 * at its end, and all stacks of calls, folded.
 */
#ifndef TOOLS_HOLDERS_H
#define TOOLS_HOLDERS_H

#include "bands.h"
#include "calls.h"
#include "output.h"
#include "places.h"

struct json_object;

#define HOLDERS_DEPTH 8
#define HOLDERS_DEPTH_MAX 512

struct holders {
	bool at_peak, at_end;
	size_t depth;
	struct output folded; /* open before the program begins */
	struct places peak, end;
	struct stacks stacks;
	struct bands bands;
};

/* True if the calls must be recorded. */
bool holders_wanted(const struct holders *holders);

/* False after a message: the folded stacks could not be written. */
bool holders_find(struct holders *holders, const struct trace *trace, const struct calls *calls);

/* If the places at the peak are asked for: what they held in these moments. */
void holders_band(struct holders *holders, const struct trace *trace, const struct moment *moments,
		  size_t count);

void holders_print(FILE *stream, const struct holders *holders);
void holders_json(struct json_object *object, const struct holders *holders);

void holders_release(struct holders *holders);

#endif
