/* SPDX-License-Identifier: MIT */
/*
 * growth.c - see growth.h. A request that finds no room in what is mapped makes it longer: the
 * heap's refusal handler does it.
 */
#include "growth.h"

#include "api/growing.h"

/* Where not even the front of the largest heap fits: halves the size until it does. */
#define SIZE_LEAST ((size_t)1 << 20)

static struct bh_budget_refused refused; /* those that growth could not help */

/* The try that found no room was not the last word. */
static bool heap_extend(const struct bheap_refusal *refusal, void *unused)
{
	bheap_t *heap = refusal->heap;

	(void)unused;
	if (!bh_growing_extend(heap, refusal->alignment, refusal->size))
		return false;
	heap->core.control->failures--;
	*bh_handle_refusals(heap) = refused;
	return true;
}

bheap_t *growth_create(size_t *size, unsigned flags)
{
	bool reserved = *size != 0;
	bheap_t *heap;

	if (!reserved)
		*size = BHEAP_SIZE_MAX;
	heap = bh_growing_create(*size, flags, reserved);
	while (!heap && !reserved && *size > SIZE_LEAST) {
		*size /= 2;
		heap = bh_growing_create(*size, flags, reserved);
	}
	if (heap)
		bheap_set_refusal_handler(heap, heap_extend, NULL);
	return heap;
}

const char *growth_end(const bheap_t *heap)
{
	return bh_core_address(&heap->core, heap->core.end);
}

void growth_refused(const bheap_t *heap)
{
	refused = *bh_handle_refusals(heap);
}

void growth_shorten(bheap_t *heap)
{
	bh_growing_shorten(heap);
}
