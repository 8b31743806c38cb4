/* SPDX-License-Identifier: MIT */
/*
 * calls.h - from which stacks of calls a recorded program asked for memory, as addresses: what the
 * recorder's callers.c and loaded.c wrote down, and which operation of the trace has which stack.
 * Nothing in it is trusted. Refuses to know names of functions.
 */
#ifndef TOOLS_CALLS_H
#define TOOLS_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CALLS_ID_MOST 32
/* The address of a node that stands for callers that were not recorded. */
#define CALLS_LEFT_OUT 1

/* One call of a stack. */
struct call_node {
	uint32_t parent; /* 0: there is none, or it is not known */
	uint64_t address;
	uint64_t moment; /* of the line that told of it */
};

/* A program or library, while it was mapped. */
struct call_module {
	uint32_t number;
	uint64_t bias, start, end;
	uint64_t gone; /* the moment; UINT64_MAX: never */
	unsigned char id[CALLS_ID_MOST];
	size_t id_size;   /* 0: it has none */
	uint64_t file[3]; /* if it has none: inode, size and time, or 0 */
	char *path;       /* or NULL */
};

struct calls {
	struct call_node *nodes; /* by number; those of address 0 are not known */
	size_t node_room;
	struct call_module *modules; /* in the order in which they were seen */
	size_t module_count, module_room;
	uint32_t *stacks; /* by operation: the node of the innermost call, or 0 */
	size_t stack_room;
	uint64_t moment;
};

/* Takes a line about stacks and modules; *is_one: whether it is that. NULL, or what is wrong. */
const char *calls_line(struct calls *calls, const char *line, bool *is_one);

/* Operation op of the trace was asked for by this stack. */
void calls_note(struct calls *calls, size_t op, uint32_t stack);

/* The stack of an operation, or 0. */
static inline uint32_t calls_stack(const struct calls *calls, size_t op)
{
	return op < calls->stack_room ? calls->stacks[op] : 0;
}

/* NULL: it is not known. */
const struct call_node *calls_node(const struct calls *calls, uint32_t number);

/* The module that a call's address lies in, or NULL. */
const struct call_module *calls_module(const struct calls *calls, const struct call_node *node);

void calls_release(struct calls *calls);

#endif
