/* SPDX-License-Identifier: MIT */
/*
 * recording.h - a program's traffic with malloc(), recorded while it runs.
 */
#ifndef TOOLS_RECORDING_H
#define TOOLS_RECORDING_H

#include <stdbool.h>

#include "calls.h"
#include "trace.h"
#include "output.h"
#include "unreached.h"

/*
 * One run of a program: the trace of the process with the highest peak first, then those of a few
 * others, which run other programs and whose peak is near that: they may need more.
 */
#define RECORDING_TRACES 4

struct recording {
	struct trace traces[RECORDING_TRACES];
	struct calls calls[RECORDING_TRACES]; /* empty unless with_calls */
	size_t count;
	size_t processes; /* that there were; 0: a trace was read */
	struct unreached unreached;
	bool with_calls;
};

/*
 * Runs a program, and all that it starts. The processes that are not the first are told of on
 * standard error. False after a message.
 */
bool recording_make(struct recording *recording, bool with_calls, char **argv);
void recording_release(struct recording *recording);

/* Writes a trace, compressed when the name ends in .gz, and keeps it. False after a message. */
bool recording_save(const struct trace *trace, struct output *output);

#endif
