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

/* How a frame pointer goes through a stack. */
struct unwind_pointer {
	uint16_t saved; /* where that of the frame was found, in the frame that it called */
	bool tells;     /* by it the caller was found */
};

struct unwind_stack {
	size_t count;
	bool whole;    /* the last is the outermost */
	size_t joined; /* calls of a trail are the others, so many from its outermost on; or 0 */
	struct unwind_frame frames[UNWIND_MOST];
	struct unwind_pointer pointers[UNWIND_MOST + 1];
};

/*
 * The stack that was unwound last, from the outermost call on. What the next one has in common with
 * it is not unwound again, only seen to be as it was.
 */
struct unwind_trail {
	size_t count;
	struct unwind_mark {
		struct unwind_frame frame;
		uint16_t saved;
		bool needs_bp;   /* the frame pointer tells where a caller's frame ends */
		uint32_t number; /* the user's */
	} marks[UNWIND_MOST];
};

#pragma GCC visibility push(hidden)

/* The caller of a function, by the function's own frame and return address. */
struct unwind_frame unwind_caller(const void *frame, const void *return_address);

/*
 * What a signal interrupted, by the third argument of its handler: as if the instruction were a
 * call that returns to the byte behind its first. 0: not known on this machine.
 */
struct unwind_frame unwind_interrupted(const void *context);

/*
 * By what is remembered, if that suffices; false: stack->count is not known. Under the lock; from
 * is the innermost, and top an address that the outermost frame is known not to lie above. trail:
 * of stacks that were unwound since rules were last learnt or forgotten.
 */
bool unwind_by_rules(struct unwind_stack *stack, struct unwind_frame from, uintptr_t top,
		     const struct unwind_trail *trail);

/* The trail of this stack, which is whole. What it had in common keeps its numbers. */
void unwind_follow(struct unwind_trail *trail, const struct unwind_stack *stack);

/* By libgcc, in a function that was called by from. Without a lock: it may wait for dlopen(3). */
void unwind_by_library(struct unwind_stack *stack, struct unwind_frame from);

/* Remembers the steps of a stack that libgcc unwound. Under the lock. */
void unwind_learn(const struct unwind_stack *stack);

/* Forgets all: code was unloaded, and other code may lie where it was. Under the lock. */
void unwind_forget(void);

#pragma GCC visibility pop

#endif
