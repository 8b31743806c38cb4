/* SPDX-License-Identifier: MIT */
/*
 * stepper.h - exact instruction counts of single calls.
 *
 * A child is stepped through the marked calls one instruction at a time by ptrace(2) and runs
 * freely between them. No tool stands between the library and the processor, so it does what it
 * always does. Counted is what the caller pays: passing arguments and the jump into the library
 * included.
 */
#ifndef BENCH_STEPPER_H
#define BENCH_STEPPER_H

#include <stddef.h>

#define STEPPER_KINDS 4

struct call_count {
	size_t calls, total, largest;
};

/*
 * Runs work(arg) in a child and counts its marked calls by kind. 0; or -1 after saying why, when
 * the child failed or may not be traced.
 */
int stepper_run(void (*work)(void *arg), void *arg, struct call_count counts[STEPPER_KINDS]);

/* In the child, right before and right after a call. */
void stepper_begin(void);
void stepper_end(size_t kind);

#endif
