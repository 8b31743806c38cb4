/* SPDX-License-Identifier: MIT */
/*
 * api.c - the block functions: arguments, errno, and the way through the door. bh_block_alloc() and
 * bh_block_free() are the straight path: no trailer, no annotation, no lock needed, and no stack
 * frame, for they call nothing but what is last. What that path cannot do it leaves undone, and the
 * way through the door does it from the start. An exported name is another one for the hidden
 * function: no copy, no jump.
 */
#include "api/blocks.h"

#include <errno.h>
#include <string.h>

#include "core/alloc.h"
#include "core/annotate.h"
#include "core/free.h"
#include "core/probe.h"
#include "handle/damage.h"
#include "handle/fill.h"

/* ---- inside the door ---- */

static uint32_t block_find_room(struct bh_call *call, size_t alignment, size_t granules)
{
	struct bh_core *core = &call->heap->core;
	uint32_t block;
	unsigned rebuilds = BH_DAMAGE_REBUILDS_MAX;

	do {
		bh_fill_watch(call);
		block = alignment > BH_GRANULE ? bh_alloc_aligned(core, alignment, granules)
					       : bh_alloc_block(core, granules);
		if (BH_LIKELY(block) || !bh_damage_rebuild(call))
			return block;
	} while (--rebuilds);
	bh_fill_watch(call);
	return bh_alloc_by_map(core, alignment, granules);
}

static void request_refuse(const bheap_t *heap, size_t size)
{
	heap->core.control->failures++;
	bh_probe_fail(heap, size);
}

static void block_finish(const bheap_t *heap, uint32_t block, size_t size)
{
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	if (heap->annotated)
		bh_annotate_alloc(heap, bh_core_address(&heap->core, block), size);
	if (heap->trailers)
		bh_trailer_write(&heap->core, heap->key, block,
				 bh_core_granules(&heap->core, block), size ? size : BH_GRANULE,
				 bh_handle_owner(heap));
}

uint32_t bh_block_alloc_entered(struct bh_call *call, size_t alignment, size_t size)
{
	bheap_t *heap = call->heap;
	uint32_t block = 0;

	if (size <= bh_core_size(&heap->core))
		block = block_find_room(call, alignment, bh_handle_request_granules(heap, size));
	if (!block) {
		request_refuse(heap, size);
		return 0;
	}
	bh_fill_taken(call, block, block + bh_core_granules(&heap->core, block));
	block_finish(heap, block, size);
	return block;
}

void bh_block_verify_trailer(struct bh_call *call, uint32_t block, uint32_t granules)
{
	const bheap_t *heap = call->heap;
	size_t usable;

	if (!heap->trailers || bh_trailer_is_intact(&heap->core, heap->key, block, granules))
		return;
	usable = bh_handle_usable(heap, block, granules);
	bh_call_note(call, BHEAP_FAULT_OVERFLOW, bh_core_address(&heap->core, block), usable, NULL);
	if (granules > BH_TRAILER_GRANULES)
		bh_trailer_write(&heap->core, heap->key, block, granules, usable,
				 bh_trailer_owner(&heap->core, heap->key, block, granules));
}

void bh_block_free_entered(struct bh_call *call, uint32_t block)
{
	bheap_t *heap = call->heap;
	uint32_t granules = bh_core_granules(&heap->core, block);
	unsigned rebuilds = BH_DAMAGE_REBUILDS_MAX;
	enum bh_core_status status;

	bh_block_verify_trailer(call, block, granules);
	bh_fill_meet(call, block, block + granules);
	do {
		status = bh_free_block(&heap->core, block);
	} while (status == BH_DAMAGED && bh_damage_rebuild(call) && --rebuilds);
	if (status != BH_DONE)
		bh_free_by_map(&heap->core, block);
	if (heap->annotated)
		bh_annotate_free(heap, bh_core_address(&heap->core, block), bh_bytes(granules));
	bh_probe_free(heap, bh_core_address(&heap->core, block));
	bh_fill_freed(call, block, block + granules);
}

bool bh_block_is_same(bheap_t *heap, uint32_t block, uint32_t mark)
{
	struct bh_call call;
	bool same;

	if (!bh_enter(&call, heap))
		return false;
	same = bh_map_is_live(&heap->core.map, block) && bh_block_mark(heap, block) == mark;
	bh_leave(&call);
	return same;
}

void bh_block_note_bad_pointer(struct bh_call *call, const void *ptr)
{
	const struct bh_core *core = &call->heap->core;
	uintptr_t offset = (uintptr_t)ptr - (uintptr_t)bh_core_start(core);
	uint32_t granule, block;
	size_t size;

	if (offset >= bh_core_size(core)) {
		bh_call_note(call, BHEAP_FAULT_NOT_A_BLOCK, ptr, 0, "outside the heap");
		return;
	}
	granule = BH_FIRST + (uint32_t)(offset >> BH_GRANULE_SHIFT);
	block = bh_core_block_at(core, granule);
	size = bh_bytes(bh_core_granules(core, block));
	if (bh_map_is_used(&core->map, block))
		bh_call_note(call, BHEAP_FAULT_NOT_A_BLOCK, ptr, size,
			     "inside a live block of that size");
	else
		bh_call_note(call, BHEAP_FAULT_DOUBLE_FREE, ptr, size, NULL);
}

/* ---- allocate ---- */

BH_COLD
static void *alloc_slow(bheap_t *heap, size_t alignment, size_t size)
{
	struct bh_call call;
	uint32_t block, mark = 0;

	if (!bh_enter_to_change(&call, heap))
		return NULL;
	block = bh_block_alloc_entered(&call, alignment, size);
	if (block)
		mark = bh_block_mark(heap, block);
	bh_leave(&call);
	/* The address that was written to after it was freed is that of the new block. */
	if (BH_UNLIKELY(!block) || (call.count && !bh_block_is_same(heap, block, mark)))
		return bh_block_refuse(ENOMEM);
	return bh_core_address(&heap->core, block);
}

/*
 * After a search in vain: whether that is the last word. Not if damage was in the way, or the size
 * is 0.
 */
static bool search_is_refused(const bheap_t *heap, size_t size)
{
	if (heap->core.bins.damaged || !size)
		return false;
	request_refuse(heap, size);
	return true;
}

static void *alloc_failed(bheap_t *heap, size_t size)
{
	return search_is_refused(heap, size) ? bh_block_refuse(ENOMEM)
					     : alloc_slow(heap, BH_GRANULE, size);
}

/* The way of a call that may pass the door, with a frame. */
BH_NOINLINE
static void *alloc_by_search(bheap_t *heap, size_t size)
{
	uint32_t block = bh_alloc_block(&heap->core, bh_granules(size));

	if (BH_UNLIKELY(!block))
		return alloc_failed(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

/* The same where neither the bin of its size nor the victim can serve a small request. */
BH_NOINLINE
static void *alloc_by_split(bheap_t *heap, size_t size)
{
	uint32_t block = bh_alloc_split(&heap->core, (uint32_t)bh_granules(size));

	if (!block)
		return alloc_by_search(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

/* The way of one thread among several: what the lock and the heap can do at once. */
BH_NOINLINE
static void *alloc_trylock(bheap_t *heap, size_t size)
{
	uint32_t block = 0;
	bool refused = false;

	if (BH_LIKELY(heap) && bh_enter_trylock(heap)) {
		block = bh_alloc_block(&heap->core, bh_granules(size));
		if (BH_LIKELY(block))
			bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
		else
			refused = search_is_refused(heap, size);
		bh_leave_trylock(heap);
	}
	if (BH_LIKELY(block))
		return bh_core_address(&heap->core, block);
	return refused ? bh_block_refuse(ENOMEM) : alloc_slow(heap, BH_GRANULE, size);
}

void *bh_block_alloc(bheap_t *heap, size_t size)
{
	size_t granules = bh_granules(size);
	uint32_t block;

	if (BH_UNLIKELY(!heap || !bh_may_skip_lock(heap)))
		return alloc_trylock(heap, size);
	if (granules >= heap->core.bins.exact_limit)
		return alloc_by_search(heap, size);
	block = bh_alloc_fast(&heap->core, (uint32_t)granules);
	if (!block)
		return alloc_by_split(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

extern __typeof(bh_block_alloc) bheap_alloc __attribute__((alias("bh_block_alloc")));

void *bheap_calloc(bheap_t *heap, size_t count, size_t size)
{
	size_t total;
	void *block;

	if (__builtin_mul_overflow(count, size, &total))
		total = SIZE_MAX; /* refused as such a request is */
	block = bh_block_alloc(heap, total);
	return block ? memset(block, 0, total) : NULL;
}

void *bheap_aligned_alloc(bheap_t *heap, size_t alignment, size_t size)
{
	if (!alignment || (alignment & (alignment - 1)))
		return bh_block_refuse(EINVAL);
	return alignment <= BH_GRANULE ? bh_block_alloc(heap, size)
				       : alloc_slow(heap, alignment, size);
}

/* ---- free ---- */

BH_COLD
static int free_slow(bheap_t *heap, void *ptr)
{
	struct bh_call call;
	uint32_t block;

	if (heap && !ptr)
		return 0;
	if (!bh_enter_to_change(&call, heap))
		return -1;
	block = bh_core_find(&heap->core, ptr);
	if (block)
		bh_block_free_entered(&call, block);
	else
		bh_block_note_bad_pointer(&call, ptr);
	bh_leave(&call);
	if (!block)
		errno = EINVAL;
	return block ? 0 : -1;
}

/* The way of one thread among several. */
BH_NOINLINE
static int free_trylock(bheap_t *heap, void *ptr)
{
	bool done = false;

	if (BH_LIKELY(heap) && bh_enter_trylock(heap)) {
		uint32_t block = bh_core_find(&heap->core, ptr);

		done = block && bh_free_block(&heap->core, block) == BH_DONE;
		if (BH_LIKELY(done))
			bh_probe_free(heap, ptr);
		bh_leave_trylock(heap);
	}
	return BH_LIKELY(done) ? 0 : free_slow(heap, ptr);
}

/* However far the block behind it is, and whatever words of the map lose their last start. */
BH_NOINLINE
static int free_far(bheap_t *heap, uint32_t block, uint32_t previous)
{
	void *ptr = bh_core_address(&heap->core, block);

	if (BH_UNLIKELY(!bh_free_far(&heap->core, block, previous)))
		return free_slow(heap, ptr);
	bh_probe_free(heap, ptr);
	return 0;
}

static BH_ALWAYS_INLINE int free_and_merge(bheap_t *heap, uint32_t block, struct bh_free_merge with)
{
	if (BH_UNLIKELY(!bh_free_merge(&heap->core, block, with)))
		return free_far(heap, block, with.previous);
	bh_probe_free(heap, bh_core_address(&heap->core, block));
	return 0;
}

BH_NOINLINE
static int free_live_free(bheap_t *heap, uint32_t block, uint32_t next)
{
	return free_and_merge(
		heap, block, (struct bh_free_merge){.next = next, .next_free = true, .near = true});
}

BH_NOINLINE
static int free_free_any(bheap_t *heap, uint32_t block, uint32_t previous)
{
	struct bh_free_position at =
		bh_free_position(&heap->core, block, bh_core_address(&heap->core, block));
	struct bh_free_merge with = {.previous = previous, .near = true};
	enum bh_free_neighbour side = bh_free_next(&at, &with.next);
	/* Of what the merge clears: a word left without a start needs tags. */
	uint64_t company = at.start & ~at.bit;

	if (side == BH_NEIGHBOUR_LIVE && company)
		return free_and_merge(heap, block, with);
	with.next_free = true;
	if (side == BH_NEIGHBOUR_FREE && company & ~bh_map_bit(with.next))
		return free_and_merge(heap, block, with);
	return free_far(heap, block, previous);
}

/* What is in front is a live block; inline, for each of its callers. */
static BH_ALWAYS_INLINE int free_live_any(bheap_t *heap, const struct bh_free_position *at)
{
	uint32_t next;
	enum bh_free_neighbour side = bh_free_next(at, &next);

	if (side != BH_NEIGHBOUR_LIVE)
		return side == BH_NEIGHBOUR_FREE ? free_live_free(heap, at->block, next)
						 : free_far(heap, at->block, 0);
	if (BH_UNLIKELY(next == heap->core.end))
		return free_far(heap, at->block, 0);
	bh_probe_free(heap, at->address);
	bh_free_live_live(&heap->core, at, next);
	return 0;
}

/* What is in front is free, or starts farther away than in the next word. */
BH_NOINLINE
static int free_any(bheap_t *heap, uint32_t block)
{
	struct bh_free_position at =
		bh_free_position(&heap->core, block, bh_core_address(&heap->core, block));
	uint32_t previous = bh_free_previous(&at);

	if (!previous)
		return free_live_any(heap, &at);
	/* The only start of its word is lost. */
	return at.start == at.bit ? free_far(heap, block, previous)
				  : free_free_any(heap, block, previous);
}

int bh_block_free(bheap_t *heap, void *ptr)
{
	struct bh_free_position at;
	uint32_t block;

	if (BH_UNLIKELY(!heap || !bh_may_skip_lock(heap)))
		return free_trylock(heap, ptr);
	block = bh_core_granule(&heap->core, ptr);
	if (BH_UNLIKELY(!block))
		return free_slow(heap, ptr);
	at = bh_free_position(&heap->core, block, ptr);
	if (BH_UNLIKELY(!bh_free_is_live(&at)))
		return free_slow(heap, ptr);
	if (!bh_free_previous_is_live(&at))
		return free_any(heap, block);
	return free_live_any(heap, &at);
}

extern __typeof(bh_block_free) bheap_free __attribute__((alias("bh_block_free")));
