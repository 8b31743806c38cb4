/* SPDX-License-Identifier: MIT */
/*
 * summary.h - what "bheap run" tells in the end, for people and as JSON.
 */
#ifndef TOOLS_SUMMARY_H
#define TOOLS_SUMMARY_H

#include <stdio.h>

#include "child.h"
#include "fault_stacks.h"
#include "records.h"
#include "remembered.h"
#include "unreached.h"

struct summary {
	char **argv;
	struct child_end end;
	struct records records;
	struct unreached unreached;
	char *const *overridden; /* settings of bheap's own, "NAME=VALUE", NULL-terminated */
	bool sized;              /* the heap has a size that somebody chose */
	bool each;               /* of the other processes, not of programs */
	bool with_stacks;
	struct fault_stacks stacks;          /* if so */
	const struct remembered *remembered; /* with --size=auto, or NULL */
};

/* The result comes last; of the other processes there are a few lines, unless each is wanted. */
void summary_print(FILE *stream, const struct summary *summary);

void summary_json(FILE *stream, const struct summary *summary);

#endif
