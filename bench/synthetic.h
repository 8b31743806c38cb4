/* SPDX-License-Identifier: MIT */
/*
 * synthetic.h - made-up traces, the same on every machine: known hard cases for an allocator.
 */
#ifndef BENCH_SYNTHETIC_H
#define BENCH_SYNTHETIC_H

#include "tools/trace.h"

#define SYNTHETIC_COUNT 6

/* Makes the trace of an index below SYNTHETIC_COUNT. */
void synthetic_make(struct trace *trace, size_t index);

#endif
