/* SPDX-License-Identifier: MIT */
/*
 * memory.c - memory of the benchmarks themselves.
 */
#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void memory_check(const void *block, size_t size)
{
	if (block != NULL)
		return;
	fprintf(stderr, "bench: no memory for %zu bytes\n", size);
	exit(2);
}

void *memory_resize(void *block, size_t size)
{
	void *moved = realloc(block, size);
	memory_check(moved, size);
	return moved;
}

void *memory_zero(size_t count, size_t size)
{
	void *block = calloc(count, size);
	memory_check(block, count * size);
	return block;
}

void *memory_copy(const void *source, size_t size)
{
	return memcpy(memory_resize(NULL, size), source, size);
}

static void *region_map(size_t size, int flags)
{
	void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	memory_check(region == MAP_FAILED ? NULL : region, size);
	return region;
}

void *memory_map(size_t size)
{
	return region_map(size, MAP_PRIVATE | MAP_NORESERVE);
}

void *memory_share(size_t size)
{
	return region_map(size, MAP_SHARED);
}

void memory_unmap(void *region, size_t size)
{
	munmap(region, size);
}
