/* SPDX-License-Identifier: MIT */
/*
 * stacks.h - the functions of a recorded stack of calls (calls.h), from the innermost on.
 */
#ifndef TOOLS_STACKS_H
#define TOOLS_STACKS_H

#include "calls.h"
#include "source.h"

struct stacks {
	const struct calls *calls;
	struct source *source;
	void *known; /* by address */

	/* The stack that was resolved last. */
	struct source_frame *frames;
	size_t count, room;
};

void stacks_open(struct stacks *stacks, const struct calls *calls);

/*
 * Finds the functions of a stack, as far as main(); at least one frame, which may say only that
 * callers are not known.
 */
void stacks_resolve(struct stacks *stacks, uint32_t number);

void stacks_close(struct stacks *stacks);

#endif
