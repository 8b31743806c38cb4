/* SPDX-License-Identifier: MIT */
/*
 * growth.c - see growth.h. A request that finds no room in what is mapped makes it longer: the
 * heap's refusal handler does it.
 */
#include "growth.h"

#include <errno.h>

#include "api/cached.h"
#include "api/growing.h"

/* Where not even the front of the largest heap fits: halves the size until it does. */
#define SIZE_LEAST ((size_t)1 << 20)

/* How much memory at the end may be free before pages go back, and how much is left then. */
#define TAIL_MOST ((size_t)48 << 20)
#define TAIL_LEFT ((size_t)24 << 20)

/* No block was seen to reach this address since the pages from here on went back; or NULL. */
static const char *tail;
static struct bh_budget_refused refused; /* those that growth could not help */

bool growth_settle(bheap_t *heap)
{
	struct bh_call call;
	bool any = false;

	if (bh_enter(&call, heap)) {
		any = bh_cached_settle(&call);
		bh_leave(&call);
	}
	return any;
}

/* The try that found no room was not the last word. */
static bool heap_extend(const struct bheap_refusal *refusal, void *unused)
{
	bheap_t *heap = refusal->heap;

	(void)unused;
	if (!bh_growing_extend(heap, refusal->alignment, refusal->size) && !growth_settle(heap))
		return false;
	heap->core.control->failures--;
	*bh_handle_refusals(heap) = refused;
	return true;
}

/* What its first call asks the system for no later one does, whatever filter the program has then.
 */
static void cache_claim(bheap_t *heap)
{
	struct bh_call call;

	if (!bh_handle_is_cached(heap) || !bh_enter(&call, heap))
		return;
	bh_cache_claim(heap);
	bh_leave(&call);
}

void growth_fork(bheap_t *heap)
{
	growth_settle(heap);
	cache_claim(heap);
	refused = (struct bh_budget_refused){0};
	*bh_handle_refusals(heap) = refused;
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
	if (!heap)
		return NULL;
	bheap_set_refusal_handler(heap, heap_extend, NULL);
	cache_claim(heap);
	return heap;
}

const char *growth_top(const bheap_t *heap)
{
	return bh_core_address(&heap->core, heap->core.control->top);
}

const char *growth_end(const bheap_t *heap)
{
	return bh_core_address(&heap->core, heap->core.end);
}

size_t growth_used(const bheap_t *heap)
{
	return bh_bytes(heap->core.control->used);
}

void growth_cut(const bheap_t *heap, const char *fresh)
{
	char *top = bh_core_address(&heap->core, heap->core.control->top);
	const char *end = growth_end(heap);
	int saved = errno;

	if (!tail || tail < top || tail > end)
		tail = fresh < end ? fresh : end;
	/* With guards, pages that are to be zero must be known to the heap. */
	if (!heap->grows || tail < top || (size_t)(tail - top) <= TAIL_MOST)
		return;
	bh_region_decommit(&heap->region, top + TAIL_LEFT, (size_t)(tail - top) - TAIL_LEFT);
	tail = top + TAIL_LEFT;
	errno = saved;
}

void growth_reach(bheap_t *heap, const void *ptr, size_t size)
{
	const struct bh_core *core = &heap->core;
	uint32_t block = heap->grows ? bh_core_find(core, ptr) : 0, top = core->control->top;

	if (!block || block + bh_core_granules(core, block) != top ||
	    size <= bh_bytes(core->end - block))
		return;
	bh_growing_extend(heap, BHEAP_ALIGNMENT, size - bh_bytes(top - block));
}

void growth_refused(const bheap_t *heap)
{
	refused = *bh_handle_refusals(heap);
}

void growth_shorten(bheap_t *heap)
{
	bh_growing_shorten(heap);
}
