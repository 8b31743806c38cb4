/* SPDX-License-Identifier: MIT */
/*
 * growing.c - see growing.h. The map and the granules each have a mapping that grows at its end; in
 * between, and behind, the addresses are no one's. Where the system has given them away, or has no
 * more memory to promise, the heap has reached its end.
 */
#include "api/growing.h"

#include <errno.h>

#include "api/create.h"
#include "core/annotate.h"
#include "core/growth.h"
#include "handle/caches.h"

/*
 * A system call for so many bytes, or an eighth of the heap. Less where the system refuses that:
 * what a limit leaves can be had.
 */
#define STEP_LEAST ((size_t)1 << 20)
#define STEP_SHARE 8

static uint32_t page_granules(void)
{
	return (uint32_t)(bh_region_page() >> BH_GRANULE_SHIFT);
}

/* Behind the zero word that follows the map of so many granules. */
static char *map_end(const struct bh_core *core, uint32_t span)
{
	const struct bh_map_word *end = &core->map.words[bh_map_words(BH_FIRST + span) + 1];

	return (char *)bh_round_up((uintptr_t)end, bh_region_page());
}

static char *span_end(const struct bh_core *core, uint32_t span)
{
	return bh_core_start(core) + bh_bytes(span);
}

static int range_map(char *from, const char *to)
{
	return from == to ? 0 : bh_region_map_at(from, (size_t)(to - from));
}

static void range_unmap(char *from, const char *to)
{
	if (from != to)
		bh_region_pages_free(from, (size_t)(to - from));
}

/* Maps what a core of the span `to` has and one of the span `from` has not; nothing on failure. */
static bool spans_map(const struct bh_core *core, uint32_t from, uint32_t to)
{
	if (range_map(map_end(core, from), map_end(core, to)))
		return false;
	if (!range_map(span_end(core, from), span_end(core, to)))
		return true;
	range_unmap(map_end(core, from), map_end(core, to));
	return false;
}

/* ---- creation ---- */

/* The front, and the first granules. */
static bool first_map(char *start, const struct bh_layout *layout)
{
	struct bh_core core;
	char *end;

	bh_core_view(&core, start, layout);
	end = map_end(&core, layout->span);
	if (range_map(start, end))
		return false;
	if (!range_map(span_end(&core, 0), span_end(&core, layout->span)))
		return true;
	range_unmap(start, end);
	return false;
}

static bheap_t *growing_make(struct bh_layout *layout, bool reserved, unsigned flags)
{
	struct bh_region region = {.size = layout->size, .fd = -1};
	bheap_t *heap;

	region.start = bh_region_find(region.size, reserved);
	if (!region.start)
		return NULL;
	if (layout->span > STEP_LEAST >> BH_GRANULE_SHIFT)
		layout->span = STEP_LEAST >> BH_GRANULE_SHIFT;
	if (!first_map(region.start, layout))
		return NULL;
	heap = bh_create_handle(region.start, layout, &region, flags);
	if (!heap) {
		bh_region_unmap(&region);
		return NULL;
	}
	heap->grows = true;
	return heap;
}

bheap_t *bh_growing_create(size_t size, unsigned flags, bool reserved)
{
	size_t page = bh_region_page(), granules;
	struct bh_layout layout;

	if (!size || size > BHEAP_SIZE_MAX || flags & BHEAP_GUARD || bh_annotate_wanted())
		return bh_create(size, flags & ~(unsigned)BHEAP_CACHED);
	granules = bh_create_granules(size);
	bh_layout_for_granules(
		&layout, granules,
		BH_HANDLE_ROOM + (flags & BHEAP_CACHED ? bh_cache_area_size(granules, false) : 0),
		BH_BIN_SHIFT_MAX, page, page);
	return growing_make(&layout, reserved, flags);
}

/* ---- growth ---- */

static bool span_extend(bheap_t *heap, size_t more)
{
	struct bh_core *core = &heap->core;
	uint32_t span;

	if (!more || more > bh_handle_ahead(heap))
		return false;
	span = core->bins.span + (uint32_t)more;
	if (!spans_map(core, core->bins.span, span))
		return false;
	bh_growth_extend(core, span);
	return true;
}

static size_t step_granules(const struct bh_core *core)
{
	size_t step = core->bins.span / STEP_SHARE;

	if (step < STEP_LEAST >> BH_GRANULE_SHIFT)
		step = STEP_LEAST >> BH_GRANULE_SHIFT;
	return bh_round_up(step, page_granules());
}

bool bh_growing_extend(bheap_t *heap, size_t alignment, size_t size)
{
	const struct bh_core *core = &heap->core;
	size_t top = core->end - core->control->top, step = step_granules(core), wanted;
	int saved = errno;
	bool done;

	if (size > bh_handle_size(heap) || alignment > bh_handle_size(heap))
		return false;
	wanted = bh_granules(size + alignment);
	wanted = bh_round_up(wanted > top ? wanted - top : 1, page_granules());
	if (step < wanted)
		step = wanted;
	/* The last step; and what is left may do where no alignment is to be made up for. */
	if (step > bh_handle_ahead(heap))
		step = bh_handle_ahead(heap);
	done = span_extend(heap, step) || (wanted < step && span_extend(heap, wanted));
	errno = saved;
	return done;
}

/* ---- and back ---- */

/* Of the map as it is mapped, its word before the first not counted. */
static size_t words_mapped(const struct bh_core *core, uint32_t span)
{
	return (size_t)(map_end(core, span) - (char *)core->map.words) / sizeof(struct bh_map_word);
}

void bh_growing_shorten(bheap_t *heap)
{
	struct bh_core *core = &heap->core;
	size_t keep = core->control->top - BH_FIRST + step_granules(core);
	uint32_t span = core->bins.span, shorter;
	int saved = errno;

	shorter = (uint32_t)bh_round_up(keep, page_granules());
	if (!heap->grows || span < shorter + step_granules(core))
		return;
	bh_growth_shorten(core, shorter, words_mapped(core, shorter));
	range_unmap(map_end(core, shorter), map_end(core, span));
	range_unmap(span_end(core, shorter), span_end(core, span));
	errno = saved;
}
