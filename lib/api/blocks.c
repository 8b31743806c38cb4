/* SPDX-License-Identifier: MIT */
/*
 * blocks.c - the block functions: arguments, errno, and the way into the heap. bh_block_alloc() and
 * bh_block_free() are the fast path: no trailer, no annotation, no lock needed, and no stack frame,
 * for they call nothing but what they end with (tests/frames.sh). If it cannot complete, it changes
 * nothing and tail-calls the slow path, which does the whole. An exported name is an alias of the
 * hidden function: no copy, no jump.
 */
#include "api/blocks.h"

#include <errno.h>
#include <string.h>

#include "api/refusal.h"
#include "core/alloc.h"
#include "core/annotate.h"
#include "core/free.h"
#include "core/probe.h"
#include "handle/damage.h"
#include "handle/fill.h"
#include "handle/storage.h"

/* ---- between entry and exit of a call ---- */

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

int bh_block_refusal(const struct bh_call *call)
{
	return bh_storage_was_refused(call->heap) ? ENOSPC : ENOMEM;
}

void bh_block_count_refusal(const bheap_t *heap, size_t size)
{
	struct bh_budget_refused *refusals = bh_handle_refusals(heap);
	size_t granules = size / BH_GRANULE + !!(size % BH_GRANULE);

	refusals->last = granules < UINT32_MAX ? (uint32_t)granules : UINT32_MAX;
	if (refusals->largest < refusals->last)
		refusals->largest = refusals->last;
	refusals->used = heap->core.control->used;
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

/* A block that the limit of the heap allows; else 0. */
static uint32_t block_find_allowed(struct bh_call *call, size_t alignment, size_t size)
{
	const bheap_t *heap = call->heap;
	size_t granules = bh_handle_request_granules(heap, size);

	if (size > bh_core_size(&heap->core) || bh_handle_is_over_limit(heap, granules))
		return 0;
	return block_find_room(call, alignment, granules);
}

uint32_t bh_block_alloc_entered(struct bh_call *call, size_t alignment, size_t size)
{
	bheap_t *heap = call->heap;
	uint32_t block;

	BH_ASSERT(bh_is_power_of_two(alignment) && alignment >= BH_GRANULE);
	bh_storage_refusal_clear(heap);
	block = block_find_allowed(call, alignment, size);
	if (!block) {
		bh_block_count_refusal(heap, size);
		return 0;
	}
	bh_fill_taken(call, block, block + bh_core_granules(&heap->core, block));
	block_finish(heap, block, size);
	return block;
}

/* Notes that the granule before the first block was written to, and seals it again. */
static void front_verify(struct bh_call *call)
{
	const bheap_t *heap = call->heap;

	if (bh_block_front_is_intact(heap))
		return;
	bh_call_note(call, BHEAP_FAULT_OVERFLOW, NULL, 0, BH_BLOCK_FRONT_WRITTEN);
	bh_trailer_write_front(&heap->core, heap->key);
}

void bh_block_verify_trailer(struct bh_call *call, uint32_t block, uint32_t granules)
{
	const bheap_t *heap = call->heap;
	size_t usable;

	BH_ASSERT(bh_core_is_live(&heap->core, block));
	BH_ASSERT(granules == bh_core_granules(&heap->core, block));
	if (block == BH_FIRST)
		front_verify(call);
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

	BH_ASSERT(bh_core_is_live(&heap->core, block) && !heap->read_only);
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

/* Of a free block, or of the end: with what the heap may grow by, where freed blocks were. */
static size_t free_size(const bheap_t *heap, uint32_t block)
{
	uint32_t end = heap->core.end,
		 next = block < end ? bh_map_next(&heap->core.map, block) : end;

	return bh_bytes(next - block) + (next == end ? bh_bytes(bh_handle_ahead(heap)) : 0);
}

void bh_block_note_bad_pointer(struct bh_call *call, const void *ptr)
{
	const struct bh_core *core = &call->heap->core;
	uintptr_t offset = (uintptr_t)ptr - (uintptr_t)bh_core_start(core);
	uint32_t granule = BH_FIRST + (uint32_t)(offset >> BH_GRANULE_SHIFT), block;

	if (offset >= bh_handle_size(call->heap)) {
		bh_call_note(call, BHEAP_FAULT_NOT_A_BLOCK, ptr, 0, "outside the heap");
		return;
	}
	block = offset < bh_core_size(core) ? bh_core_block_at(core, granule) : core->control->top;
	if (block < core->end && bh_map_is_used(&core->map, block))
		bh_call_note(call, BHEAP_FAULT_NOT_A_BLOCK, ptr,
			     bh_bytes(bh_core_granules(core, block)),
			     "inside a live block of that size");
	else
		bh_call_note(call, BHEAP_FAULT_DOUBLE_FREE, ptr, free_size(call->heap, block),
			     NULL);
}

/* ---- allocate ---- */

BH_NOINLINE
void *bh_block_alloc_once(bheap_t *heap, size_t alignment, size_t size)
{
	struct bh_call call;
	uint32_t block, mark = 0;
	int error;

	if (!bh_enter_to_change(&call, heap))
		return NULL;
	block = bh_block_alloc_entered(&call, alignment, size);
	if (block && call.count)
		mark = bh_block_mark(heap, block);
	error = bh_block_refusal(&call);
	bh_leave(&call);
	/* The address that was written to after it was freed is that of the new block. */
	if (BH_UNLIKELY(!block) || (call.count && !bh_block_is_same(heap, block, mark)))
		return bh_block_refuse(error);
	return bh_core_address(&heap->core, block);
}

/* The whole, the calls of a refusal handler included. */
BH_NOINLINE
static void *alloc_slow(bheap_t *heap, size_t alignment, size_t size)
{
	struct bh_refusal_tries tries = bh_refusal_begin();
	void *block;

	do
		block = bh_block_alloc_once(heap, alignment, size);
	while (!block && bh_refusal_retry(heap, &tries, alignment, size));
	return block;
}

/*
 * Refuses a request that no free block was found for. False, and nothing done, if the slow path may
 * find one: damage was met, the size is 0, or a handler can make room.
 */
static bool search_is_refused(const bheap_t *heap, size_t size)
{
	if (heap->core.bins.damaged || !size || bh_handle_has_refusal_handler(heap))
		return false;
	bh_block_count_refusal(heap, size);
	return true;
}

static void *alloc_failed(bheap_t *heap, size_t size)
{
	return search_is_refused(heap, size) ? bh_block_refuse(ENOMEM)
					     : alloc_slow(heap, BH_GRANULE, size);
}

/* Fast path with a frame: the whole choice of a free block. */
BH_NOINLINE
static void *alloc_by_search(bheap_t *heap, size_t size)
{
	uint32_t block = bh_alloc_block(&heap->core, bh_granules(size));

	if (BH_UNLIKELY(!block))
		return alloc_failed(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

/* Fast path of a small request that neither the bin of its size nor the victim can serve. */
BH_NOINLINE
static void *alloc_by_split(bheap_t *heap, size_t size)
{
	uint32_t block = bh_alloc_fast_split(&heap->core, (uint32_t)bh_granules(size));

	if (!block)
		return alloc_by_search(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

/* Fast path of a small request for which the bin of its size has a block. */
BH_NOINLINE
static void *alloc_exact(bheap_t *heap, size_t size, size_t granules)
{
	uint32_t block = bh_alloc_exact(&heap->core, (uint32_t)granules, BH_ALLOC_FAST);

	if (BH_UNLIKELY(!block))
		return alloc_by_search(heap, size);
	bh_probe_alloc(heap, bh_core_address(&heap->core, block), size);
	return bh_core_address(&heap->core, block);
}

/* Trylock path. */
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
	if (bh_alloc_has_exact(&heap->core, granules))
		return alloc_exact(heap, size, granules);
	block = bh_alloc_fast_cut(&heap->core, (uint32_t)granules);
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

void *bh_block_alloc_aligned(bheap_t *heap, size_t alignment, size_t size)
{
	return alignment <= BH_GRANULE ? bh_block_alloc(heap, size)
				       : alloc_slow(heap, alignment, size);
}

void *bheap_aligned_alloc(bheap_t *heap, size_t alignment, size_t size)
{
	return bh_is_power_of_two(alignment) ? bh_block_alloc_aligned(heap, alignment, size)
					     : bh_block_refuse(EINVAL);
}

/* ---- free ---- */

BH_NOINLINE
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

/* The fast path knows only the core, which is the first field of a heap. */
static int core_free_slow(struct bh_core *core, void *ptr)
{
	return free_slow((bheap_t *)(void *)core, ptr);
}

/* Trylock path. */
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

int bh_block_free(bheap_t *heap, void *ptr)
{
	if (BH_UNLIKELY(!heap || !bh_may_skip_lock(heap)))
		return free_trylock(heap, ptr);
	return bh_free_fast(&heap->core, ptr, core_free_slow);
}

extern __typeof(bh_block_free) bheap_free __attribute__((alias("bh_block_free")));
