/* SPDX-License-Identifier: MIT */
/*
 * assert.h - preconditions, and what holds after: checked in a library that was configured with
 * --enable-assertions, else no code. Owns the only mention of <assert.h>. States what this library
 * itself owes: nothing that a caller's mistake or a written free block can break.
 */
#ifndef BH_ASSERT_H
#define BH_ASSERT_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

/*
 * True, or the process aborts with a line on standard error. Where assertions are off, the
 * condition is compiled and not evaluated. It has no side effects.
 */
#ifdef BH_ASSERTIONS
#undef NDEBUG
#include <assert.h>
#define BH_ASSERT(condition) assert(condition)
#else
#define BH_ASSERT(condition) ((void)sizeof((condition) ? 1 : 0))
#endif

#endif
