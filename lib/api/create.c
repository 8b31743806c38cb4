/* SPDX-License-Identifier: MIT */
/*
 * create.c - private heaps and heaps in a caller's memory, made and ended. Keeps: the handle lies
 * before the control block, in the same memory, so that a heap needs no other.
 */
#include "api/create.h"

#include <errno.h>
#include <string.h>

#include "api/attach.h"
#include "core/annotate.h"
#include "handle/caches.h"
#include "handle/fill.h"
#include "handle/marks.h"
#include "handle/pages.h"
#include "os/barrier.h"
#include "os/secret.h"
#include "os/setting.h"

#define FLAGS_PRIVATE (BHEAP_UNLOCKED | BHEAP_GUARD | BHEAP_ABORT | BHEAP_REALTIME | BHEAP_CACHED)
/*
 * Caches serve many threads; guards must see each free at once; what empties caches waits for other
 * threads.
 */
#define FLAGS_NOT_CACHED (BHEAP_UNLOCKED | BHEAP_GUARD | BHEAP_REALTIME)

/* A guarded heap of so many granules, 16 MiB, has an inaccessible MiB before its first block. */
#define GAP_FROM ((size_t)16 << 20 >> BH_GRANULE_SHIFT)
#define GAP_GUARDED ((size_t)1 << 20)

/* Whole granules of a buffer, of which up to 15 bytes may lie before the first. */
#define BUFFER_GRANULES_MIN ((size_t)(BHEAP_BUFFER_MIN - (BH_GRANULE - 1)) >> BH_GRANULE_SHIFT)
#define BUFFER_GRANULES_MAX ((size_t)(BHEAP_SIZE_MAX >> BH_GRANULE_SHIFT))

static bool flags_are_good(unsigned flags)
{
	return !(flags & ~(unsigned)FLAGS_PRIVATE) &&
	       (!(flags & BHEAP_CACHED) || !(flags & FLAGS_NOT_CACHED));
}

/* The flags of the caller, and those that the environment sets for every private heap. */
static unsigned flags_with_settings(unsigned flags)
{
	return bh_settings.guards ? (flags | BHEAP_GUARD) & ~(unsigned)BHEAP_CACHED : flags;
}

static enum bh_lock_kind lock_kind(unsigned flags)
{
	return flags & BHEAP_UNLOCKED ? BH_LOCK_NONE : BH_LOCK_PRIVATE;
}

/*
 * Bytes before the control block: the handle and, with BHEAP_GUARD, the bits of marks.h, or the
 * caches.
 */
static size_t lead_size(unsigned flags, size_t granules, bool in_buffer)
{
	size_t size = BH_HANDLE_ROOM;

	if (flags & BHEAP_GUARD)
		size += bh_marks_size(granules);
	if (flags & BHEAP_CACHED)
		size += bh_cache_area_size(granules, in_buffer);
	return size;
}

/* bh_handle_front_size() of the heap in a buffer that will be made. */
static size_t front_size(unsigned flags)
{
	return flags & BHEAP_GUARD || bh_handle_wants_redzones() ? BH_GRANULE : 0;
}

static bool buffer_layout(struct bh_layout *layout, size_t size, unsigned flags)
{
	size_t front = front_size(flags);
	bool fits = bh_layout_for_size(layout, size - front,
				       lead_size(flags, size >> BH_GRANULE_SHIFT, true));

	layout->granules += front;
	layout->size += front;
	return fits;
}

/* Blocks of the heap in a buffer of so many granules, in granules. */
static size_t buffer_span(size_t granules, unsigned flags)
{
	struct bh_layout layout;

	return buffer_layout(&layout, bh_bytes(granules), flags) ? layout.span : 0;
}

/*
 * The least number of granules from which on every buffer has a span that is wanted. A larger
 * buffer may have the smaller span, where bins become finer or caches more: the search begins at
 * the largest. A buffer with some granules less has as many less for blocks at most, for its
 * bookkeeping is no larger, but for that of caches: these change to fewer and larger ones at
 * powers of two (caches.c), which no step jumps over.
 */
static size_t buffer_search(size_t wanted, unsigned flags)
{
	size_t least = BUFFER_GRANULES_MAX + 1;

	while (least > BUFFER_GRANULES_MIN) {
		size_t granules = least - 1, span = buffer_span(granules, flags);
		size_t power = (size_t)1 << bh_highest_bit(granules);

		if (span < wanted)
			break;
		least = granules - (span - wanted);
		if (least < power)
			least = power;
	}
	return least;
}

/* Granules for the first block, with what front_size() says of heaps in buffers. */
static size_t block_granules(size_t size, unsigned flags)
{
	size_t granules = bh_granules(size ? size : 1);

	return flags & BHEAP_GUARD ? granules + BH_TRAILER_GRANULES
				   : granules + bh_handle_wants_redzones();
}

/* A heap in a caller's buffer is made without a system call. */
static uint64_t key_make(const bheap_t *heap)
{
	return heap->region.start ? bh_secret_random(BH_SECRET_SEALS, (uintptr_t)heap)
				  : bh_secret_derived(BH_SECRET_SEALS, (uintptr_t)heap);
}

/* What lies before the first block belongs to no one. */
static void front_close(const bheap_t *heap)
{
	size_t front = bh_handle_front_size(heap);

	if (front && heap->trailers)
		bh_trailer_write_front(&heap->core, heap->key);
	if (heap->annotated)
		bh_annotate_create(heap, bh_core_start(&heap->core) - front,
				   front + bh_core_size(&heap->core),
				   heap->trailers || heap->redzones);
}

bheap_t *bh_create_handle(char *start, const struct bh_layout *layout,
			  const struct bh_region *region, unsigned flags)
{
	bheap_t *heap = (bheap_t *)(void *)start;

	BH_ASSERT(layout->control >= BH_HANDLE_ROOM);
	*heap = (bheap_t){.region = *region};
	if (flags & BHEAP_GUARD)
		heap->key = key_make(heap);
	bh_core_view(&heap->core, start, layout);
	heap->core.slides = true;
	if (flags & BHEAP_GUARD)
		heap->filled = (uint64_t *)(void *)(start + BH_HANDLE_ROOM);
	if (bh_handle_init(heap, flags, lock_kind(flags), NULL))
		return NULL;
	/* To the tools, what is inaccessible and opened again would be the program's. */
	if (heap->filled && region->start && !heap->annotated)
		heap->closes = bh_pages_shift();
	if (heap->closes)
		heap->core.prepare = bh_fill_prepare;
	if (flags & BHEAP_CACHED)
		bh_caches_init(heap, !region->start);
	bh_core_format(&heap->core);
	front_close(heap);
	if (heap->closes)
		bh_pages_close_rest(heap);
	return heap;
}

size_t bh_create_granules(size_t size)
{
	size_t page = bh_region_page();
	size_t granules = bh_round_up(size, page) >> BH_GRANULE_SHIFT;

	return granules <= BH_GRANULES_MAX ? granules
					   : BH_GRANULES_MAX & ~((page >> BH_GRANULE_SHIFT) - 1);
}

/* Inaccessible bytes before the first block, the last page of which bh_region_map() leaves. */
static size_t gap_size(unsigned flags, size_t granules)
{
	size_t page = bh_region_page();

	return flags & BHEAP_GUARD && granules >= GAP_FROM ? GAP_GUARDED + page : page;
}

/* The bookkeeping of a large guarded heap is out of reach of a stray write before its blocks. */
static void gap_close(const struct bh_region *region, const struct bh_layout *layout, size_t gap)
{
	size_t more = gap - bh_region_page();
	int saved = errno;

	if (more)
		bh_region_protect(region->start + layout->granules - gap, more, false);
	errno = saved;
}

bheap_t *bh_create(size_t size, unsigned flags)
{
	size_t page = bh_region_page(), granules, lead, gap;
	struct bh_layout layout;
	struct bh_region region;
	bheap_t *heap;

	if (!size || size > BHEAP_SIZE_MAX || !flags_are_good(flags)) {
		errno = EINVAL;
		return NULL;
	}
	flags = flags_with_settings(flags);
	granules = bh_create_granules(size);
	lead = lead_size(flags, granules, false) +
	       (flags & BHEAP_GUARD ? bh_marks_pages_size(granules) : 0);
	gap = gap_size(flags, granules);
	bh_layout_for_granules(&layout, granules, lead, BH_BIN_SHIFT_MAX, page, gap);
	if (bh_region_map(&region, layout.granules - page, bh_bytes(granules)))
		return NULL;
	/* Once there are several threads it takes milliseconds. */
	if (flags & BHEAP_CACHED)
		bh_barrier_prepare();
	gap_close(&region, &layout, gap);
	heap = bh_create_handle(region.start, &layout, &region, flags);
	if (!heap) {
		int saved = errno;

		bh_region_unmap(&region);
		errno = saved;
	}
	return heap;
}

bheap_t *bheap_create(size_t size, unsigned flags)
{
	return bh_create(size, flags);
}

bheap_t *bheap_create_in(void *buffer, size_t size, unsigned flags)
{
	size_t skip = (size_t)(-(uintptr_t)buffer & (BH_GRANULE - 1));
	const struct bh_region region = {.fd = -1};
	struct bh_layout layout;
	char *start;

	if (!flags_are_good(flags)) {
		errno = EINVAL;
		return NULL;
	}
	flags = flags_with_settings(flags);
	if (!buffer || size < BHEAP_BUFFER_MIN || size > BHEAP_SIZE_MAX ||
	    !buffer_layout(&layout, size - skip, flags)) {
		errno = EINVAL;
		return NULL;
	}
	start = (char *)buffer + skip;
	memset(start, 0, layout.granules);
	return bh_create_handle(start, &layout, &region, flags);
}

size_t bheap_buffer_size(size_t size, unsigned flags)
{
	size_t granules, bytes;

	if (!flags_are_good(flags)) {
		errno = EINVAL;
		return 0;
	}
	flags = flags_with_settings(flags);
	granules = buffer_search(block_granules(size, flags), flags);
	if (granules >= BUFFER_GRANULES_MAX) {
		errno = ENOMEM;
		return 0;
	}
	bytes = bh_bytes(granules) + BH_GRANULE - 1;
	return bytes > BHEAP_BUFFER_MIN ? bytes : BHEAP_BUFFER_MIN;
}

int bh_destroy(bheap_t *heap)
{
	struct bh_region region = heap->region;
	size_t front = bh_handle_front_size(heap);

	if (bh_lock_is_walking(&heap->lock)) {
		errno = EDEADLK;
		return -1;
	}
	if (heap->shared)
		return bh_attach_detach(heap);
	if (heap->annotated)
		bh_annotate_destroy(heap, bh_core_start(&heap->core) - front,
				    front + bh_core_size(&heap->core));
	bh_handle_end(heap);
	return bh_region_unmap(&region);
}

int bheap_destroy(bheap_t *heap)
{
	if (!heap || heap->permanent) {
		errno = EINVAL;
		return -1;
	}
	return bh_destroy(heap);
}
