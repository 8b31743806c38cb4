/* SPDX-License-Identifier: MIT */
/*
 * crowd.h - how many threads of a process made requests and live, for the recorder. Refuses to know
 * what they ask for.
 */
#ifndef TOOLS_CROWD_H
#define TOOLS_CROWD_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Once, when the module is loaded. */
void crowd_begin(void);

/* This thread makes a request; outside the recorder's lock, for it may itself allocate. */
void crowd_join(void);

/* The most that lived at one time. */
uint32_t crowd_most(void);

/* In the child of a fork only this thread lives; what the others held is still taken. */
void crowd_fork(void);

#pragma GCC visibility pop

#endif
