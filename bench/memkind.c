/* SPDX-License-Identifier: MIT */
/*
 * memkind.c - a module for compare: a memkind of fixed memory (jemalloc in a region of ours).
 */
#include <memkind.h>

#include "allocator.h"

extern const struct allocator bench_allocator;

static void *fixed_open(const struct allocator *allocator, void *region, size_t size)
{
	(void)allocator;
	memkind_t kind;
	return memkind_create_fixed(region, size, &kind) == MEMKIND_SUCCESS ? kind : NULL;
}

static void fixed_close(void *heap)
{
	memkind_destroy_kind(heap);
}

static void *fixed_alloc(void *heap, size_t size)
{
	return memkind_malloc(heap, size);
}

static void *fixed_align(void *heap, size_t alignment, size_t size)
{
	void *block;
	if (alignment < sizeof(void *))
		alignment = sizeof(void *);
	return memkind_posix_memalign(heap, &block, alignment, size) == 0 ? block : NULL;
}

static void *fixed_resize(void *heap, void *block, size_t size)
{
	return memkind_realloc(heap, block, size);
}

static void fixed_release(void *heap, void *block)
{
	memkind_free(heap, block);
}

const struct allocator bench_allocator = {
	.name = "memkind",
	.bounded = true,
	.region_min = (size_t)256 << 20, /* jemalloc keeps freed memory to itself for a while */
	.open = fixed_open,
	.close = fixed_close,
	.alloc = fixed_alloc,
	.align = fixed_align,
	.resize = fixed_resize,
	.release = fixed_release,
};
