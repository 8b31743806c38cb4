/* SPDX-License-Identifier: MIT */
/*
 * callers.h - numbers for the stacks of calls from which memory is asked for; the recording tells
 * once what each means. Nothing unless bheap sets BHEAP_RECORD_CALLERS. Allocates nothing.
 */
#ifndef TOOLS_CALLERS_H
#define TOOLS_CALLERS_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind.h"

#pragma GCC visibility push(hidden)

/* True if they are wanted. */
bool callers_wanted(void);

/* The number of the stack that ends with this call; 0: not known. The lock is not held. */
uint32_t callers_find(struct unwind_frame caller);

#pragma GCC visibility pop

#endif
