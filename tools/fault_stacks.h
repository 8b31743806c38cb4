/* SPDX-License-Identifier: MIT */
/*
 * fault_stacks.h - the faults that programs in bheap-guard.so told of (telling.h), with the calls
 * that allocated and freed the block. Nothing in what they told is trusted.
 */
#ifndef TOOLS_FAULT_STACKS_H
#define TOOLS_FAULT_STACKS_H

#include <json-c/json.h>
#include <stdio.h>

#include "handover.h"

struct fault_stacks {
	struct fault_process *processes; /* those with faults */
	size_t count;
	size_t told;              /* faults, of all processes */
	struct table_process own; /* the program that bheap started */
};

/* When the program has ended. */
void fault_stacks_read(struct fault_stacks *faults, const struct handover *handover,
		       struct table_process own);

/* counted: the faults that there were, of which some may not have been told. */
void fault_stacks_print(FILE *stream, const struct fault_stacks *faults, uint64_t counted);

struct json_object *fault_stacks_json(const struct fault_stacks *faults);

void fault_stacks_release(struct fault_stacks *faults);

#endif
