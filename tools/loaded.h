/* SPDX-License-Identifier: MIT */
/*
 * loaded.h - writes down which programs and libraries lie at the addresses of a process, so that
 * functions can be looked up when it has ended. Keeps: no lock of the loader is taken, for it may
 * be held by a thread that waits for ours, or was held when this process was forked. Allocates
 * nothing.
 */
#ifndef TOOLS_LOADED_H
#define TOOLS_LOADED_H

#include <stdbool.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Tells of the module of a return address on the stack, if it is not known yet. Under the lock. */
void loaded_tell(uintptr_t return_address);

/*
 * True if dlclose(3) unmapped anything since the last time: what was told is no longer valid, and
 * will be told anew. Under the lock.
 */
bool loaded_forget(void);

#pragma GCC visibility pop

#endif
