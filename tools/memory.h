/* SPDX-License-Identifier: MIT */
/*
 * memory.h - memory of the benchmarks themselves: a program that gets none ends.
 *
 * Arrays come from malloc(); regions for heaps come from the system, page-aligned and untouched.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stddef.h>

void *memory_resize(void *block, size_t size);
void *memory_zero(size_t count, size_t size);
void *memory_copy(const void *source, size_t size);

void *memory_map(size_t size);
/* Zero bytes that child processes write for their parent. */
void *memory_share(size_t size);
void memory_unmap(void *region, size_t size);

#endif
