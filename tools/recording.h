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

/*
 * Runs a program, and all that it starts, and loads the trace of the process that needed most
 * memory, and its calls, unless that is NULL; *processes: how many there were. The others are told
 * of on standard error. False after a message.
 */
bool recording_make(struct trace *trace, struct calls *calls, size_t *processes, char **argv);

/* Writes a trace, compressed when the name ends in .gz, and keeps it. False after a message. */
bool recording_save(const struct trace *trace, struct output *output);

#endif
