/* SPDX-License-Identifier: MIT */
/*
 * fill.c - fills freed memory and verifies it. Keeps: the bit of a granule is set only while it is
 * free and has the pattern, or zeros after a trim; links and size of a block in a bin excepted.
 */
#include "handle/fill.h"

#include "handle/marks.h"
#include "handle/pages.h"
#include "handle/pattern.h"

/* The units that hold some granules are as others. */
static void units_clear(const bheap_t *heap, uint32_t from, uint32_t to)
{
	for (uint32_t granule = from; granule < to; granule = bh_marks_unit_end(heap, granule))
		bh_marks_set_trimmed(heap, granule, false);
}

void bh_fill_forget(const bheap_t *heap, uint32_t from, uint32_t to)
{
	if (!heap->filled)
		return;
	bh_marks_clear(heap, from, to);
	units_clear(heap, from, to);
}

void bh_fill_trimmed(bheap_t *heap, uint32_t from, uint32_t to)
{
	uint32_t page = (uint32_t)(bh_region_page() >> BH_GRANULE_SHIFT);
	uint32_t first = (uint32_t)bh_round_up(from - BH_FIRST, page) + BH_FIRST;
	uint32_t last = ((to - BH_FIRST) & ~(page - 1)) + BH_FIRST;

	if (!heap->filled || !heap->region.start)
		return;
	for (uint32_t granule = bh_marks_find(heap, first, last); granule < last;
	     granule = bh_marks_find(heap, bh_marks_unit_end(heap, granule), last))
		/* The system may have kept a page, for one that is locked. */
		if (bh_pattern_is_zero(heap, granule)) {
			heap->trimmed = true;
			bh_marks_set_trimmed(heap, granule, true);
		}
}

void bh_fill_first(const bheap_t *heap, uint32_t block)
{
	const struct bh_core *core = &heap->core;
	const struct bh_control *control = core->control;

	BH_ASSERT(bh_core_is_free(core, block));
	if (block == control->top || block == control->victim)
		bh_pattern_store(heap, block, block + 1);
	else if (bh_core_granules(core, block) < core->bins.exact_limit)
		bh_pattern_store_half(heap, block);
	bh_marks_few_fill(bh_marks_few(heap, block, 1));
}

const void *bh_fill_written(const bheap_t *heap, uint32_t block, uint32_t next)
{
	const struct bh_control *control = heap->core.control;

	if (!heap->filled)
		return NULL;
	BH_ASSERT(bh_core_is_free(&heap->core, block));
	return bh_pattern_written(heap, block, next,
				  block != control->top && block != control->victim);
}

/* ---- operations ---- */

void bh_fill_watch(struct bh_call *call)
{
	const struct bh_control *control = call->heap->core.control;

	call->top = control->top;
	call->victim = control->victim;
}

static void written_note(struct bh_call *call, uint32_t block, uint32_t next, const void *at)
{
	const struct bh_call_report report = {.kind = BHEAP_FAULT_WRITTEN_FREE,
					      .address = bh_core_address(&call->heap->core, block),
					      .size = bh_bytes(next - block),
					      .at = at};

	bh_call_note_report(call, &report);
}

/* Verifies the first granule of a free neighbour, which a merge would overwrite. Reported once. */
static void first_meet(struct bh_call *call, uint32_t block)
{
	bheap_t *heap = call->heap;
	const void *at = NULL;

	if (bh_map_is_used(&heap->core.map, block))
		return;
	if (bh_marks_is_filled(heap, block))
		at = bh_fill_written(heap, block, block + 1);
	if (!at)
		return;
	written_note(call, block, block + bh_core_granules(&heap->core, block), at);
	bh_marks_clear(heap, block, block + 1);
}

void bh_fill_meet(struct bh_call *call, uint32_t block, uint32_t next)
{
	if (!call->heap->filled)
		return;
	first_meet(call, bh_map_previous(&call->heap->core.map, block));
	first_meet(call, next);
}

/* True if the granule is a free block's first, and the block is in a bin. */
static bool is_node(const bheap_t *heap, uint32_t granule)
{
	const struct bh_control *control = heap->core.control;

	return bh_map_is_free(&heap->core.map, granule) && granule != control->top &&
	       granule != control->victim;
}

/* Verifies what is filled of a unit, as decommitted, and fills it anew. */
static const void *unit_refill(const bheap_t *heap, uint32_t first, uint32_t end)
{
	const void *at = NULL;

	for (uint32_t granule = bh_marks_find(heap, first, end); granule < end && !at;
	     granule = bh_marks_find(heap, granule + 1, end))
		at = bh_pattern_written(heap, granule, granule + 1, is_node(heap, granule));
	for (uint32_t granule = bh_marks_find(heap, first, end); granule < end;
	     granule = bh_marks_find(heap, granule + 1, end)) {
		if (bh_map_is_free(&heap->core.map, granule))
			bh_fill_first(heap, granule);
		else
			bh_pattern_fill(heap, granule, granule + 1);
	}
	bh_marks_set_trimmed(heap, first, false);
	return at;
}

/* A decommitted unit of which a part was handed out, or whose granule is a free block's first. */
BH_NOINLINE
static void unit_meet(struct bh_call *call, uint32_t granule)
{
	const bheap_t *heap = call->heap;
	uint32_t block;
	const void *at;

	if (granule >= heap->core.end || !bh_marks_is_trimmed(heap, granule))
		return;
	at = unit_refill(heap, bh_marks_unit_first(granule), bh_marks_unit_end(heap, granule));
	if (!at)
		return;
	block = bh_core_block_at(&heap->core,
				 (uint32_t)(bh_core_offset(&heap->core, at) >> BH_GRANULE_SHIFT));
	written_note(call, block, bh_map_next(&heap->core.map, block), at);
}

/* All of a page that was opened while it was free. */
static void page_fill(const bheap_t *heap, uint32_t granule)
{
	bh_pattern_fill(heap, bh_pages_first(heap, granule), bh_pages_end(heap, granule));
}

static void page_open(const bheap_t *heap, uint32_t granule)
{
	if (!bh_pages_is_closed(heap, granule))
		return;
	bh_pages_open(heap, granule, granule + 1);
	page_fill(heap, granule);
}

bool bh_fill_prepare(struct bh_core *core, uint32_t from, uint32_t to)
{
	const bheap_t *heap = (const bheap_t *)(const void *)core;

	BH_ASSERT(from < to && to <= core->end);
	if (!bh_pages_open_rest(heap, to))
		return false;
	if (to < core->end)
		page_open(heap, to);
	return true;
}

/* Opens what is handed out; fills what stays free of it. */
static void pages_take(const bheap_t *heap, uint32_t from, uint32_t to)
{
	bool first, last;

	if (!bh_pages_are_closed(heap, from, to))
		return;
	first = bh_pages_is_closed(heap, from);
	last = bh_pages_is_closed(heap, to - 1);
	bh_pages_open(heap, from, to);
	if (first)
		page_fill(heap, from);
	if (last)
		page_fill(heap, to - 1);
}

void bh_fill_taken(struct bh_call *call, uint32_t from, uint32_t to)
{
	const bheap_t *heap = call->heap;
	const struct bh_map *map = &heap->core.map;
	bool linked;
	const void *at;

	if (!heap->filled)
		return;
	pages_take(heap, from, to);
	/* After free memory: these granules were split from the middle of a block. */
	linked = from != call->top && from != call->victim &&
		 bh_map_is_used(map, bh_map_previous(map, from));
	at = bh_pattern_written(heap, from, to, linked);
	if (at)
		written_note(call, from, to, at);
	bh_marks_clear(heap, from, to);
	if (heap->trimmed) {
		unit_meet(call, from);
		unit_meet(call, to);
		units_clear(heap, from, to);
	}
	/* A write right behind the last block is found, where it misses the trailer. */
	if (to == heap->core.control->top && to < heap->core.end && !bh_marks_is_filled(heap, to))
		bh_fill_first(heap, to);
}

/* Closes the pages of freed granules, none of them the first of a block; fills what is beside. */
static bool range_close(const bheap_t *heap, uint32_t from, uint32_t to)
{
	uint32_t first = from, end = to;

	if (!bh_pages_close(heap, &first, &end))
		return false;
	bh_pattern_fill(heap, from, first);
	bh_pattern_fill(heap, end, to);
	return true;
}

void bh_fill_freed(struct bh_call *call, uint32_t from, uint32_t to)
{
	const bheap_t *heap = call->heap;
	const struct bh_map *map = &heap->core.map;
	uint32_t last = to - from < BH_FILL_MAX ? to : from + BH_FILL_MAX;
	bool is_first = bh_map_is_start(map, from);

	if (!heap->filled)
		return;
	if (to - from < BH_PAGES_MIN || !range_close(heap, from + is_first, to))
		bh_pattern_fill(heap, from + is_first, last);
	/* The first granule of a merged next block lies in the middle now. */
	if (!bh_map_is_start(map, to) && bh_marks_is_filled(heap, to))
		bh_pattern_fill(heap, to, to + 1);
	/* After a merge the previous block begins where it did, and its tag still says so. */
	bh_fill_first(heap, is_first ? from : bh_map_previous(map, from));
}

void bh_fill_resized(struct bh_call *call, uint32_t old_end, uint32_t new_end)
{
	if (!call->heap->filled)
		return;
	if (new_end > old_end)
		bh_fill_taken(call, old_end, new_end);
	else if (new_end < old_end)
		bh_fill_freed(call, new_end, old_end);
}

void bh_fill_slides(struct bh_call *call, uint32_t block)
{
	uint32_t previous = bh_map_previous(&call->heap->core.map, block);
	const void *at;

	for (uint32_t granule = previous; granule < block;
	     granule = bh_pages_end(call->heap, granule))
		page_open(call->heap, granule);
	at = bh_fill_written(call->heap, previous, block);
	bh_fill_watch(call);
	if (at) {
		written_note(call, previous, block, at);
		bh_fill_forget(call->heap, previous, block);
	}
	/* Behind the block the victim is taken out and put into a bin. */
	call->victim = 0;
}
