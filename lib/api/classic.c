/* SPDX-License-Identifier: MIT */
/*
 * classic.c - init_heap, balloc, bfree and disp_heap: the default heap, one for the whole program.
 * Owns the one global heap. Keeps: once published the default heap never changes and never ends.
 */
#include "api/blocks.h"
#include "api/create.h"
#include "api/show.h"

#include <errno.h>

/* Atomic. In a section of its own, by which gdb's commands find it: libbheap-gdb.py. */
static bheap_t *default_heap __attribute__((section(".bheap.default")));

static bheap_t *heap_default(void)
{
	return __atomic_load_n(&default_heap, __ATOMIC_ACQUIRE);
}

/* False if another thread was first. */
static bool heap_publish(bheap_t *heap)
{
	bheap_t *none = NULL;

	heap->permanent = true;
	return __atomic_compare_exchange_n(&default_heap, &none, heap, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

int init_heap(size_t size)
{
	bheap_t *heap;

	if (!heap_default()) {
		heap = bh_create(size, 0);
		if (!heap)
			return -1;
		if (heap_publish(heap))
			return 0;
		bh_destroy(heap);
	}
	errno = EALREADY;
	return -1;
}

bheap_t *bheap_default(void)
{
	return heap_default();
}

void *balloc(size_t size)
{
	bheap_t *heap = heap_default();

	if (BH_LIKELY(heap && size))
		return bh_block_alloc(heap, size);
	errno = EINVAL;
	return NULL;
}

int bfree(void *ptr)
{
	bheap_t *heap = heap_default();

	if (BH_LIKELY(heap && ptr))
		return bh_block_free(heap, ptr);
	errno = EINVAL;
	return -1;
}

void disp_heap(void)
{
	bheap_t *heap = heap_default();

	if (heap && bh_show_wants_chart()) {
		bh_show_charted(heap, stdout);
	} else if (heap) {
		bh_show(heap, stdout);
	} else {
		fputs("There is no heap: init_heap() was not called.\n", stdout);
		fflush(stdout);
	}
}
