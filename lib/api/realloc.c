/* SPDX-License-Identifier: MIT */
/*
 * realloc.c - the block functions, continued: resizing. In place where that can be; else by a copy;
 * else, when there is no room for a second block, by a slide down over the free previous block.
 */
#include "api/blocks.h"

#include <errno.h>
#include <string.h>

#include "api/cached.h"
#include "api/in_place.h"
#include "api/refusal.h"
#include "api/request.h"
#include "core/annotate.h"
#include "core/index.h"
#include "core/probe.h"
#include "core/resize.h"
#include "handle/damage.h"
#include "handle/fill.h"
#include "handle/intent.h"
#include "handle/storage.h"

/* Slides, with the free previous block accessible to the copy. */
static enum bh_core_status block_slide(struct bh_call *call, uint32_t *block, size_t kept,
				       size_t size)
{
	bheap_t *heap = call->heap;
	struct bh_core *core = &heap->core;
	void *old = bh_core_address(core, *block);
	uint32_t end = bh_map_next(&core->map, *block), old_block = *block;
	uint32_t previous = bh_map_previous(&core->map, *block);
	size_t previous_size = bh_bytes(*block - previous);
	enum bh_core_status status;

	/* A refused resize, here or for damage below, leaves the free memory watched. */
	if (!bh_resize_may_slide(core, *block, bh_handle_request_granules(heap, size)))
		return BH_NO_ROOM;
	bh_fill_slides(call, *block);
	if (heap->annotated)
		bh_annotate_lend(bh_core_address(core, previous), previous_size);
	status = bh_resize_slide(core, block, bh_handle_request_granules(heap, size), kept);
	if (heap->annotated && status == BH_DONE)
		bh_annotate_moved(heap, old, bh_core_address(core, *block), kept,
				  bh_core_address(core, end));
	else if (heap->annotated)
		bh_annotate_close(bh_core_address(core, previous), previous_size);
	if (status == BH_DONE) {
		bh_fill_forget(heap, previous, old_block);
		bh_fill_resized(call, end, bh_map_next(&core->map, *block));
	}
	return status;
}

/* True if a slide, which ends where the free previous block starts, keeps the alignment. */
static bool slide_is_aligned(const bheap_t *heap, uint32_t block, size_t alignment)
{
	uint32_t previous = bh_index_previous_free(&heap->core, block);

	return previous && bh_handle_is_aligned(heap, previous, alignment);
}

/* Slides down over the free previous block, the last resort. The block where it is then, or 0. */
static uint32_t slide_entered(struct bh_call *call, uint32_t block, size_t alignment, size_t kept,
			      size_t size)
{
	bheap_t *heap = call->heap;
	const void *old = bh_core_address(&heap->core, block);
	uint32_t mark = bh_block_mark(heap, block);
	unsigned rebuilds = BH_DAMAGE_REBUILDS_MAX;
	enum bh_core_status status;

	if (!heap->core.slides || !slide_is_aligned(heap, block, alignment) ||
	    bh_handle_is_resize_over_limit(heap, bh_core_granules(&heap->core, block), size))
		return 0;
	do {
		status = block_slide(call, &block, kept, size);
	} while (status == BH_DAMAGED && bh_damage_rebuild(call) && --rebuilds);
	if (status != BH_DONE)
		return 0;
	bh_in_place_update(heap, block, kept, size, mark);
	bh_probe_free(heap, old);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	heap->core.control->failures--; /* the copy that found no room was not the last word */
	return block;
}

/* In place, now that the caches hold nothing of what lies behind the block. It, or 0. */
static uint32_t settled_resize(struct bh_call *call, uint32_t block, size_t alignment, size_t size)
{
	bheap_t *heap = call->heap;

	if (!bh_handle_is_cached(heap))
		return 0;
	bh_cached_settle(call);
	if (!bh_handle_is_aligned(heap, block, alignment) || size > bh_core_size(&heap->core) ||
	    bh_in_place_resize(call, block, size) != BH_DONE)
		return 0;
	heap->core.control->failures--; /* the copy that found no room was not the last word */
	return block;
}

/* After a copy that found no room. The block where it is then, or 0. */
static uint32_t unmoved_resize(struct bh_call *call, uint32_t block, size_t alignment, size_t kept,
			       size_t size)
{
	uint32_t resized = settled_resize(call, block, alignment, size);

	return resized ? resized : slide_entered(call, block, alignment, kept, size);
}

/* By a copy or a slide, with the lock held throughout. The block where it is then, or 0. */
static uint32_t move_entered(struct bh_call *call, uint32_t block, size_t alignment, size_t kept,
			     size_t size)
{
	bheap_t *heap = call->heap;
	uint32_t moved = bh_request_serve(call, alignment, size);

	if (!moved)
		return unmoved_resize(call, block, alignment, kept, size);
	memcpy(bh_core_address(&heap->core, moved), bh_core_address(&heap->core, block), kept);
	/* From here on a death leaves the new block, too. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	heap->core.control->pending = 0;
	bh_intent_resize(heap, 0, 0);
	bh_block_free_entered(call, block);
	return moved;
}

static void *resize_by_slide(bheap_t *heap, uint32_t block, size_t alignment, size_t kept,
			     size_t size)
{
	struct bh_call call;
	uint32_t slid;

	if (!bh_enter_to_change(&call, heap))
		return NULL;
	slid = unmoved_resize(&call, block, alignment, kept, size);
	bh_leave(&call);
	return slid ? bh_core_address(&heap->core, slid) : NULL;
}

/*
 * By a copy; else by a slide, before a refusal handler is called, unless it is the one that lets
 * the heap grow. The block is as it was when neither finds room. before: errno when the request
 * came.
 */
static void *resize_by_move(bheap_t *heap, uint32_t block, size_t alignment, size_t kept,
			    size_t size, int before)
{
	void *old = bh_core_address(&heap->core, block);
	void *moved = bh_handle_has_refusal_handler(heap) && !heap->grows
			      ? bh_block_alloc_once(heap, alignment, size)
			      : bh_block_alloc_aligned(heap, alignment, size);
	int error;

	if (moved) {
		memcpy(moved, old, kept);
		bh_block_free(heap, old);
		return moved;
	}
	error = errno;
	moved = heap->core.slides ? resize_by_slide(heap, block, alignment, kept, size) : NULL;
	errno = moved ? before : error;
	return moved;
}

/*
 * The rest of a resize in which a fault was found: all of it before the reports, for a handler may
 * free the block, and take the memory for one of its own.
 */
BH_COLD
static void *resize_and_report(struct bh_call *call, uint32_t block, size_t alignment, size_t kept,
			       size_t size)
{
	bheap_t *heap = call->heap;
	uint32_t mark;
	int error;

	if (kept)
		block = move_entered(call, block, alignment, kept < size ? kept : size, size);
	mark = block ? bh_block_mark(heap, block) : 0;
	error = bh_request_refusal(call);
	bh_leave(call);
	if (!block)
		return bh_block_refuse(error);
	return bh_block_is_same(heap, block, mark) ? bh_core_address(&heap->core, block)
						   : bh_block_refuse(EINVAL);
}

static void *resize_bad_pointer(struct bh_call *call, const void *ptr)
{
	bh_block_note_bad_pointer(call, ptr);
	bh_leave(call);
	return bh_block_refuse(EINVAL);
}

/* In place, unless the block must move to be aligned. */
static enum bh_core_status resize_aligned_in_place(struct bh_call *call, uint32_t block,
						   size_t alignment, size_t size)
{
	const struct bh_core *core = &call->heap->core;

	if (size > bh_core_size(core))
		return BH_NO_ROOM;
	if (bh_handle_is_aligned(call->heap, block, alignment))
		return bh_in_place_resize(call, block, size);
	bh_block_verify_trailer(call, block, bh_core_granules(core, block));
	return BH_NO_ROOM;
}

/* alignment: a power of two, a granule at least. */
BH_COLD
static void *realloc_once(bheap_t *heap, void *ptr, size_t alignment, size_t size, int before)
{
	struct bh_call call;
	enum bh_core_status status;
	size_t kept;
	uint32_t block;

	if (!bh_enter_to_change(&call, heap))
		return NULL;
	block = bh_block_find(heap, ptr);
	if (!block)
		return resize_bad_pointer(&call, ptr);
	kept = bh_handle_usable(heap, block, bh_core_granules(&heap->core, block));
	status = resize_aligned_in_place(&call, block, alignment, size);
	if (status != BH_DONE && heap->annotated)
		bh_annotate_claim(heap, ptr, kept);
	if (call.count)
		return resize_and_report(&call, block, alignment, status == BH_DONE ? 0 : kept,
					 size);
	bh_leave(&call);
	return status == BH_DONE ? ptr
				 : resize_by_move(heap, block, alignment, kept < size ? kept : size,
						  size, before);
}

/* After a try that failed: the next ones, as long as the refusal handler wants them. */
BH_COLD
static void *realloc_again(bheap_t *heap, void *ptr, size_t alignment, size_t size,
			   struct bh_refusal_tries *tries)
{
	void *block = NULL;

	while (!block && bh_refusal_retry(heap, tries, alignment, size))
		block = realloc_once(heap, ptr, alignment, size, tries->before);
	return block;
}

BH_COLD
static void *realloc_slow(bheap_t *heap, void *ptr, size_t alignment, size_t size)
{
	struct bh_refusal_tries tries = bh_refusal_begin();
	void *block = realloc_once(heap, ptr, alignment, size, tries.before);

	return block ? block : realloc_again(heap, ptr, alignment, size, &tries);
}

/* In place was no room. */
static void *realloc_by_move(bheap_t *heap, void *ptr, uint32_t block, size_t size)
{
	size_t kept = bh_bytes(bh_core_granules(&heap->core, block));
	struct bh_refusal_tries tries = bh_refusal_begin();
	void *moved = resize_by_move(heap, block, BH_GRANULE, kept < size ? kept : size, size,
				     tries.before);

	return moved ? moved : realloc_again(heap, ptr, BH_GRANULE, size, &tries);
}

/* Of a heap with caches: true if a small live block has just the granules for so many bytes. */
static bool is_of_size(const bheap_t *heap, const void *ptr, size_t size)
{
	uint32_t granules = bh_cache_granules_of(heap, ptr);

	return granules && granules == bh_granules(size) &&
	       !bh_cache_is_marked(bh_caches(heap), ptr, granules);
}

/* The way of one thread among several, as far as it goes without a move. */
BH_NOINLINE
static void *realloc_trylock(bheap_t *heap, void *ptr, size_t size)
{
	bool done = heap && bh_caches_are_on(heap) && is_of_size(heap, ptr, size);
	enum bh_lock_tried tried = BH_LOCK_NOT_TAKEN;

	if (!done && BH_LIKELY(heap))
		tried = bh_enter_trylock(heap);
	if (tried) {
		uint32_t block = bh_block_find(heap, ptr);

		done = block &&
		       bh_resize_in_place(&heap->core, block, bh_granules(size)) == BH_DONE;
		bh_leave_trylock(heap, tried);
	}
	return done ? ptr : realloc_slow(heap, ptr, BH_GRANULE, size);
}

void *bheap_realloc(bheap_t *heap, void *ptr, size_t size)
{
	if (BH_UNLIKELY(!ptr))
		return bh_block_alloc(heap, size);
	if (BH_LIKELY(heap && bh_may_skip_lock(heap))) {
		uint32_t block = bh_core_find(&heap->core, ptr);
		enum bh_core_status status = BH_DAMAGED;

		if (BH_LIKELY(block))
			status = bh_resize_in_place(&heap->core, block, bh_granules(size));
		if (status == BH_DONE)
			return ptr;
		if (status == BH_NO_ROOM && size)
			return realloc_by_move(heap, ptr, block, size);
		return realloc_slow(heap, ptr, BH_GRANULE, size);
	}
	return realloc_trylock(heap, ptr, size);
}

/* The library calls no exported name: see blocks.h. */
static __typeof(bheap_realloc) block_realloc __attribute__((alias("bheap_realloc")))
BHEAP_FREED_BY(bheap_free, 2);

void *bheap_reallocarray(bheap_t *heap, void *ptr, size_t count, size_t size)
{
	size_t total; /* or one that is refused */
	bool overflows = __builtin_mul_overflow(count, size, &total);

	return block_realloc(heap, ptr, overflows ? SIZE_MAX : total);
}

void *bheap_aligned_realloc(bheap_t *heap, void *ptr, size_t alignment, size_t size)
{
	if (!bh_is_power_of_two(alignment))
		return bh_block_refuse(EINVAL);
	if (!ptr)
		return bh_block_alloc_aligned(heap, alignment, size);
	return realloc_slow(heap, ptr, alignment > BH_GRANULE ? alignment : BH_GRANULE, size);
}
