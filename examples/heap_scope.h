/* SPDX-License-Identifier: MIT */
/*
 * heap_scope.h - the current heap of each thread, for libraries whose allocation hooks have no
 * context argument. Scopes nest. A block is freed in the heap that owns it, even if another heap is
 * current. The file that defines the hooks includes this header; each file that includes it has
 * current heaps of its own.
 */
#ifndef HEAP_SCOPE_H
#define HEAP_SCOPE_H

#include <bheap.h>
#include <string.h>

/* ---- adapter ---- */
struct heap_scope {
	bheap_t *heap;
	struct heap_scope *outer;
	size_t refused; /* the last request refused in this scope, or 0 */
};

/* This thread's innermost scope; the heap outside of any, or NULL. */
static _Thread_local struct heap_scope *heap_scope;
static bheap_t *heap_scope_base;

static inline void heap_scope_enter(struct heap_scope *scope, bheap_t *heap)
{
	*scope = (struct heap_scope){.heap = heap, .outer = heap_scope};
	heap_scope = scope;
}

static inline void heap_scope_leave(void)
{
	heap_scope = heap_scope->outer;
}

/* The owner of ptr; else the base, which refuses and reports ptr. */
static inline bheap_t *heap_scope_of(const void *ptr)
{
	for (struct heap_scope *scope = heap_scope; ptr && scope; scope = scope->outer)
		if (bheap_owns(scope->heap, ptr))
			return scope->heap;
	return !ptr && heap_scope ? heap_scope->heap : heap_scope_base;
}

static inline void *heap_scope_realloc(void *ptr, size_t size)
{
	void *block = bheap_realloc(heap_scope_of(ptr), ptr, size ? size : 1);

	if (!block && heap_scope)
		heap_scope->refused = size ? size : 1;
	return block;
}

static inline void *heap_scope_alloc(size_t size)
{
	return heap_scope_realloc(NULL, size);
}

static inline void heap_scope_free(void *ptr)
{
	bheap_free(heap_scope_of(ptr), ptr);
}
/* ---- end of the adapter ---- */

#endif
