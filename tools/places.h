/* SPDX-License-Identifier: MIT */
/*
 * places.h - the places in a program that hold memory: stacks of which the innermost functions are
 * the same, counted together.
 */
#ifndef TOOLS_PLACES_H
#define TOOLS_PLACES_H

#include "holdings.h"
#include "stacks.h"

/*
 * A function that calls itself at one line stands once; of functions of the C++ library that call
 * one another stands that which the program called.
 */
struct place {
	uint64_t bytes, blocks;
	struct source_frame *frames;
	size_t count;
	bool deeper; /* they are not all */
	char *key;
};

struct places {
	struct place *list; /* that which holds most first */
	size_t count, depth;
	uint64_t bytes, blocks; /* of all */
};

/* So many functions, at most, tell a place. */
void place_find(struct place *place, struct stacks *stacks, uint32_t stack, size_t depth);
void place_release(struct place *place);

void places_make(struct places *places, const struct holdings *holdings, struct stacks *stacks,
		 size_t depth);

/* Which of the first count places a stack is of; count: none of them. */
size_t places_find(const struct places *places, size_t count, struct stacks *stacks,
		   uint32_t stack);

void places_release(struct places *places);

#endif
