/* SPDX-License-Identifier: MIT */
/*
 * trail.h - where each block of libbheap-malloc was allocated and freed, for "bheap run --guard
 * --callers": the module bheap-guard.so has it, and in libbheap-malloc.so all this is empty. What
 * is not known any more is said to be unknown, never guessed. Allocates nothing.
 */
#ifndef TOOLS_TRAIL_H
#define TOOLS_TRAIL_H

#include <bheap.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef BHEAP_TRAILS

#include "unwind.h"

#pragma GCC visibility push(hidden)

/* Once, when the module is loaded: before whatever else is to be locked for a fork is told of. */
void trail_start(void);

/* Once, when the heap is made, whose first block begins at base: reads the settings. */
void trail_open(const void *base);

/* The number of the stack that ends with this call, which is what the thread does now; or 0. */
uint32_t trail_here(struct unwind_frame caller);

/* This stack allocated a block. Before the block is handed out; block may be NULL. */
void trail_made(const void *block, size_t size, uint32_t stack);

/* This stack frees a block. Before it does; nothing if it is not known to be live. */
void trail_freed(const void *block, uint32_t stack);

/* The same of realloc(3), after which there may be a new block; false: it is not known to be live.
 */
bool trail_resized(const void *block, uint32_t stack);

/* trail_resized() was true, and the block is live still. */
void trail_kept(const void *block);

/* In a signal handler, with the third argument of its own: what the thread does is what it did. */
void trail_interrupted(const void *context);

/*
 * Inside the lock under which the fault was found: tells bheap of it, with what is known of the
 * block. found_at_end: no call of the program has found it.
 */
void trail_fault(const struct bheap_fault *fault, bool found_at_end);

#pragma GCC visibility pop

/* In a function that the program calls: who called it. */
#define TRAIL_HERE()                                                                               \
	trail_here(unwind_caller(__builtin_frame_address(0), __builtin_return_address(0)))

#else

#define TRAIL_HERE() 0

static inline void trail_start(void)
{
}

static inline void trail_open(const void *base)
{
	(void)base;
}

static inline void trail_made(const void *block, size_t size, uint32_t stack)
{
	(void)block;
	(void)size;
	(void)stack;
}

static inline void trail_freed(const void *block, uint32_t stack)
{
	(void)block;
	(void)stack;
}

static inline bool trail_resized(const void *block, uint32_t stack)
{
	(void)block;
	(void)stack;
	return false;
}

static inline void trail_kept(const void *block)
{
	(void)block;
}

static inline void trail_interrupted(const void *context)
{
	(void)context;
}

static inline void trail_fault(const struct bheap_fault *fault, bool found_at_end)
{
	(void)fault;
	(void)found_at_end;
}

#endif
#endif
