/* SPDX-License-Identifier: MIT */
/*
 * unwind.h - the return addresses of a call, from the innermost on. libgcc unwinds; what its steps
 * have in common for a return address is remembered, for a step of its own takes 0.4 microseconds.
 * Allocates nothing. Refuses to know locks: the caller holds one where it is said.
 */
#ifndef TOOLS_UNWIND_H
#define TOOLS_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of deeper stacks the outermost calls are left out. */
#define UNWIND_MOST 512

/* One call under way. Of machines whose steps are not remembered sp and bp mean nothing. */
struct unwind_frame {
	uintptr_t ip; /* where it goes on */
	uintptr_t sp; /* the stack pointer then */
	uintptr_t bp; /* the frame pointer then, which may be any number */
};

struct unwind_stack {
	size_t count;
	bool whole; /* the last is the outermost */
	struct unwind_frame frames[UNWIND_MOST];
};

#pragma GCC visibility push(hidden)

/* The caller of a function, by the function's own frame and return address. */
struct unwind_frame unwind_caller(const void *frame, const void *return_address);

/*
 * By what is remembered, if that suffices; false: stack->count is not known. Under the lock; from
 * is the innermost, and top an address that the outermost frame is known not to lie above.
 */
bool unwind_by_rules(struct unwind_stack *stack, struct unwind_frame from, uintptr_t top);

/* By libgcc, in a function that was called by from. Without a lock: it may wait for dlopen(3). */
void unwind_by_library(struct unwind_stack *stack, struct unwind_frame from);

/* Remembers the steps of a stack that libgcc unwound. Under the lock. */
void unwind_learn(const struct unwind_stack *stack);

/* Forgets all: code was unloaded, and other code may lie where it was. Under the lock. */
void unwind_forget(void);

#pragma GCC visibility pop

#endif
