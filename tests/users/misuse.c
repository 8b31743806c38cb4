/* SPDX-License-Identifier: MIT */
/*
 * misuse.c - one mistake a function, and the warnings it is to get. Compiled, never run.
 */
#include <bheap.h>
#include <stdlib.h>

/* ---- leaks ---- */

void leak_of_block(bheap_t *heap)
{
	char *block = bheap_alloc(heap, 10);

	if (block)
		bheap_display(heap, stdout);
} /* expect: analyzer-malloc-leak */

int leak_of_heap(void)
{
	bheap_t *heap = bheap_create(4096, 0);

	return heap ? 0 : -1; /* expect: analyzer-malloc-leak */
}

void leak_of_resized(bheap_t *heap, void *old)
{
	char *block = bheap_realloc(heap, old, 100);

	if (block)
		bheap_display(heap, stdout);
} /* expect: analyzer-malloc-leak */

void result_ignored(bheap_t *heap)
{
	bheap_calloc(heap, 10, 10); /* expect: unused-result */
}

void array_ignored(bheap_t *heap, void *old)
{
	bheap_reallocarray(heap, old, 10, 10); /* expect: unused-result */
}

void string_ignored(bheap_t *heap)
{
	bheap_strdup(heap, "text");     /* expect: unused-result */
	bheap_strndup(heap, "text", 2); /* expect: unused-result */
}

/* ---- given back to the wrong place ---- */

void block_to_libc(bheap_t *heap)
{
	free(bheap_alloc(heap,
			 10)); /* expect: mismatched-dealloc analyzer-mismatching-deallocation */
}

void aligned_block_to_libc(bheap_t *heap)
{
	free(bheap_aligned_alloc(heap, 64, 10)); /* expect: mismatched-dealloc */
}

void resized_block_to_libc(bheap_t *heap, void *old)
{
	free(bheap_realloc(heap, old, 10)); /* expect: mismatched-dealloc */
}

void array_to_libc(bheap_t *heap, void *old)
{
	free(bheap_reallocarray(heap, old, 10, 2)); /* expect: mismatched-dealloc */
}

void string_to_libc(bheap_t *heap)
{
	free(bheap_strdup(heap, "text")); /* expect: mismatched-dealloc */
}

void start_to_libc(bheap_t *heap)
{
	free(bheap_strndup(heap, "text", 2)); /* expect: mismatched-dealloc */
}

void libc_to_heap(bheap_t *heap)
{
	bheap_free(heap,
		   malloc(10)); /* expect: mismatched-dealloc analyzer-mismatching-deallocation */
}

void private_heap_closed(void)
{
	bheap_close(bheap_create(4096, 0)); /* expect: mismatched-dealloc */
}

/* ---- given back twice, used after, or never allocated ---- */

void freed_twice(bheap_t *heap)
{
	void *block = bheap_alloc(heap, 10);

	bheap_free(heap, block);
	bheap_free(heap, block); /* expect: analyzer-double-free */
}

int used_after_free(bheap_t *heap)
{
	int *block = bheap_calloc(heap, 1, sizeof(*block));

	if (!block)
		return 0;
	bheap_free(heap, block);
	return *block; /* expect: analyzer-use-after-free */
}

void interior_freed(bheap_t *heap)
{
	char *block = bheap_alloc(heap, 10);

	bheap_free(heap, block + 1); /* expect: free-nonheap-object */
} /* expect: analyzer-malloc-leak */

void overrun(bheap_t *heap)
{
	char *block = bheap_alloc(heap, 10);

	if (block)
		block[10] = 1; /* expect: array-bounds */
	bheap_free(heap, block);
}

void overrun_of_slot(bheap_t *heap, uint64_t *slot)
{
	char *block = bheap_alloc_into(heap, slot, 10);

	if (block)
		block[10] = 1; /* expect: array-bounds */
}

void overrun_of_nothing(bheap_t *heap)
{
	char *block = bheap_alloc(heap, 0);

	if (block)
		block[0] = 1; /* expect: array-bounds */
	bheap_free(heap, block);
}

void refusal_ignored(bheap_t *heap)
{
	char *block = bheap_alloc(heap, 10);

	*block = 1; /* expect: analyzer-possible-null-dereference */
	bheap_free(heap, block);
}
