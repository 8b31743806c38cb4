/* SPDX-License-Identifier: MIT */
/*
 * checked.h - replays a trace and believes nothing: every block is filled with a pattern of its own
 * and looked at again when it is resized and freed, and the heap is checked as it goes.
 */
#ifndef BENCH_CHECKED_H
#define BENCH_CHECKED_H

#include <bheap.h>

#include "tools/trace.h"

/*
 * 0 when the trace ran, all content was right, bheap_check() held, and the heap was empty after the
 * last block was freed; else -1 after one line to standard error.
 */
int checked_replay(const struct trace *trace, bheap_t *heap);

#endif
