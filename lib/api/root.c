/* SPDX-License-Identifier: MIT */
/*
 * root.c - references that every process understands, and the root, from which all else is found.
 */
#include "api/root.h"

#include <errno.h>

#include "handle/enter.h"

uint64_t bheap_offset(const bheap_t *heap, const void *ptr)
{
	/* As a number: gcc takes ptr for something that must not be read (bheap.h). */
	const void *address = (const void *)(uintptr_t)ptr;

	return heap && address ? bh_core_offset(&heap->core, address) : 0;
}

void *bheap_pointer(const bheap_t *heap, uint64_t offset)
{
	return heap ? bh_core_pointer(&heap->core, offset) : NULL;
}

int bheap_set_root(bheap_t *heap, const void *ptr)
{
	struct bh_call call;
	uint64_t offset = 0;

	if (!bh_enter_to_change(&call, heap))
		return -1;
	if (ptr)
		offset = bh_core_offset(&heap->core, ptr);
	if (offset || !ptr)
		bh_shared_store(&heap->core.control->root, offset);
	bh_leave(&call);
	if (!offset && ptr) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

void *bh_root(const bheap_t *heap)
{
	return bh_core_pointer(&heap->core,
			       __atomic_load_n(&heap->core.control->root, __ATOMIC_ACQUIRE));
}

void *bheap_root(const bheap_t *heap)
{
	if (heap)
		return bh_root(heap);
	errno = EINVAL;
	return NULL;
}
