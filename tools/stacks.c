/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - see stacks.h. tsearch(3) keeps what is known of an address: most stacks have the same.
 */
#include "stacks.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

struct known {
	const struct call_module *module;
	uint64_t address;
	size_t count;
	struct source_frame frames[];
};

static int known_order(const void *one, const void *other)
{
	const struct known *left = one, *right = other;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	return (left->module > right->module) - (left->module < right->module);
}

static const struct known *known_make(struct stacks *stacks, const struct call_module *module,
				      uint64_t address)
{
	struct source_frame frames[SOURCE_INLINED_MOST];
	size_t count = source_find(stacks->source, module, address, frames);
	struct known *known = memory_zero(1, sizeof(*known) + count * sizeof(*frames));

	*known = (struct known){.module = module, .address = address, .count = count};
	memcpy(known->frames, frames, count * sizeof(*frames));
	if (!tsearch(known, &stacks->known, known_order))
		abort(); /* memory_zero() ends a program that has no memory */
	return known;
}

static const struct known *known_find(struct stacks *stacks, const struct call_node *node)
{
	struct known wanted = {.module = calls_module(stacks->calls, node),
			       .address = node->address};
	struct known **found = tfind(&wanted, &stacks->known, known_order);

	return found ? *found : known_make(stacks, wanted.module, wanted.address);
}

static void frame_add(struct stacks *stacks, struct source_frame frame)
{
	if (stacks->count == stacks->room) {
		stacks->room = stacks->room * 2 + 64;
		stacks->frames =
			memory_resize(stacks->frames, stacks->room * sizeof(*stacks->frames));
	}
	stacks->frames[stacks->count++] = frame;
}

static void text_add(struct stacks *stacks, const char *text)
{
	frame_add(stacks, (struct source_frame){.function = text});
}

/* True for what of the C library calls main(), which has no name in a stripped program. */
static bool calls_main(const char *function)
{
	static const char start[] = "__libc_start_";

	return strncmp(function, start, strlen(start)) == 0;
}

/* Adds the functions of one call; true if main(), which is the last to be added, is among them. */
static bool node_add(struct stacks *stacks, const struct call_node *node)
{
	const struct known *known = known_find(stacks, node);
	bool is_main = false;

	for (size_t index = 0; index < known->count && !is_main; index++) {
		const char *function = known->frames[index].function;

		if (stacks->count && function && calls_main(function))
			return true;
		frame_add(stacks, known->frames[index]);
		is_main = function && strcmp(function, "main") == 0;
	}
	return is_main;
}

/* A node's parent was told of before it: its number is lower. */
void stacks_resolve(struct stacks *stacks, uint32_t number)
{
	const struct call_node *node = calls_node(stacks->calls, number);

	stacks->count = 0;
	while (node) {
		if (node->address == CALLS_LEFT_OUT)
			text_add(stacks, "[more callers]");
		else if (node_add(stacks, node))
			break;
		node = node->parent < number ? calls_node(stacks->calls, node->parent) : NULL;
		number = node ? (uint32_t)(node - stacks->calls->nodes) : 0;
	}
	if (!stacks->count)
		text_add(stacks, "[callers not known]");
}

void stacks_open(struct stacks *stacks, const struct calls *calls)
{
	*stacks = (struct stacks){.calls = calls, .source = source_open()};
}

void stacks_close(struct stacks *stacks)
{
	tdestroy(stacks->known, free);
	free(stacks->frames);
	source_close(stacks->source);
}
