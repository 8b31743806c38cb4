/* SPDX-License-Identifier: MIT */
/*
 * loaded.h - writes down which programs and libraries a process has mapped, so that return
 * addresses can be looked up when it has ended. Allocates nothing.
 */
#ifndef TOOLS_LOADED_H
#define TOOLS_LOADED_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/*
 * Writes down what was mapped or unmapped since the last time. No lock is held: it may wait for
 * dlopen(3). True if anything was unmapped.
 */
bool loaded_look(void);

/* True if dlclose(3) returned since the last look. */
bool loaded_changed(void);

/* Around fork(2): no look is under way. */
void loaded_stop(void);
void loaded_continue(void);

#pragma GCC visibility pop

#endif
