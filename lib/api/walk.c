/* SPDX-License-Identifier: MIT */
/*
 * walk.c - the walk from block to block, and queries of one block. A heap attached read-only cannot
 * be locked: there the walk reads the map alone, which is a tiling after each store of a writer,
 * and never the tags, which are not.
 */
#include "api/walk.h"

#include <errno.h>

#include "api/cached.h"
#include "core/annotate.h"

/* The next start by the map words alone; the end at the latest. */
static uint32_t next_by_scan(const struct bh_core *core, uint32_t block)
{
	uint32_t granule = block + 1;
	size_t last = core->end >> 6;

	BH_ASSERT(block - BH_FIRST < core->bins.span);
	for (size_t word = granule >> 6; word <= last; word++) {
		uint64_t starts = __atomic_load_n(&core->map.words[word].start, __ATOMIC_RELAXED);

		if (word == granule >> 6)
			starts &= ~UINT64_C(0) << (granule & 63);
		if (starts) {
			granule = (uint32_t)(word << 6) | bh_lowest_bit(starts);
			return granule < core->end ? granule : core->end;
		}
	}
	return core->end;
}

uint32_t bh_walk_next(const bheap_t *heap, uint32_t block)
{
	return heap->read_only ? next_by_scan(&heap->core, block)
			       : bh_map_next(&heap->core.map, block);
}

/* Used bits first: if the start bit is set afterwards, they were not a tag. */
static bool used_by_scan(const struct bh_core *core, uint32_t block)
{
	const struct bh_map_word *word = &core->map.words[block >> 6];
	uint64_t used = __atomic_load_n(&word->used, __ATOMIC_ACQUIRE);

	return (__atomic_load_n(&word->start, __ATOMIC_RELAXED) & used) >> (block & 63) & 1;
}

static bool block_is_used(const bheap_t *heap, uint32_t block)
{
	return heap->read_only ? used_by_scan(&heap->core, block)
			       : bh_map_is_used(&heap->core.map, block);
}

static void block_describe(const bheap_t *heap, uint32_t block, uint32_t granules,
			   struct bheap_block *seen)
{
	seen->address = bh_core_address(&heap->core, block);
	seen->size = bh_bytes(granules);
	seen->usable = seen->used ? bh_handle_usable(heap, block, granules) : 0;
	seen->owner = 0;
	if (seen->used && heap->flags & BHEAP_OWNED)
		seen->owner = (pid_t)bh_trailer_owner(&heap->core, heap->key, block, granules);
}

/* The tools report the errors of the callback, but not this look. Returns the next block. */
static uint32_t block_look(const bheap_t *heap, uint32_t block, struct bheap_block *seen)
{
	uint32_t next = bh_walk_next(heap, block);

	bh_annotate_enter(heap->annotated);
	seen->used = block_is_used(heap, block);
	block_describe(heap, block, next - block, seen);
	bh_annotate_leave(heap->annotated);
	return next;
}

/* What a heap may grow by belongs to its last free block, or is one. */
static int ahead_visit(const bheap_t *heap, struct bheap_block *seen, bheap_walk_fn *callback,
		       void *arg)
{
	if (!bh_handle_ahead(heap) || !seen->used)
		return 0;
	seen->previous_used = true;
	seen->used = false;
	block_describe(heap, heap->core.end, bh_handle_ahead(heap), seen);
	return callback(seen, arg);
}

int bh_walk_blocks(const bheap_t *heap, bheap_walk_fn *callback, void *arg)
{
	struct bheap_block seen = {.previous_used = true};
	uint32_t block = BH_FIRST;

	while (block < heap->core.end) {
		uint32_t next = block_look(heap, block, &seen);
		int result;

		if (next == heap->core.end && !seen.used)
			seen.size += bh_bytes(bh_handle_ahead(heap));
		result = callback(&seen, arg);
		if (result)
			return result;
		seen.previous_used = seen.used;
		block = next;
	}
	return ahead_visit(heap, &seen, callback, arg);
}

void bh_walk_cancelled(void *call)
{
	bh_leave_walk(call);
}

int bheap_walk(const bheap_t *heap, bheap_walk_fn *callback, void *arg)
{
	struct bh_call call;
	int result;

	if (!callback) {
		errno = EINVAL;
		return -1;
	}
	if (!bh_cached_enter_to_walk(&call, heap))
		return -1;
	/* A callback may end the thread. */
	pthread_cleanup_push(bh_walk_cancelled, &call);
	result = bh_walk_blocks(heap, callback, arg);
	pthread_cleanup_pop(1);
	return result;
}

/* ---- one block ---- */

BH_COLD static size_t usable_slow(const bheap_t *heap, const void *ptr)
{
	struct bh_call call;
	size_t usable = 0;
	uint32_t block;

	if (!bh_enter(&call, heap))
		return 0;
	block = bh_block_find(heap, ptr);
	if (block)
		usable = bh_handle_usable(heap, block, bh_walk_next(heap, block) - block);
	if (block && heap->annotated)
		bh_annotate_claim(heap, ptr, usable);
	bh_leave(&call);
	if (!block)
		errno = EINVAL;
	return usable;
}

/* Not inlined, so that only blocks beyond one word of the map need a stack frame. */
BH_NOINLINE static size_t usable_far(const struct bh_core *core, uint32_t block)
{
	return bh_bytes(bh_core_granules(core, block));
}

/* The size of a block that ends in the map word where it starts, or 0. */
static inline size_t usable_near(const struct bh_core *core, uint32_t block)
{
	uint64_t starts = core->map.words[block >> 6].start >> (block & 63) >> 1;

	return BH_LIKELY(starts) ? bh_bytes((size_t)bh_lowest_bit(starts) + 1) : 0;
}

/* Called for every free() of libbheap-malloc, hence without a stack frame. */
size_t bheap_usable_size(const bheap_t *heap, const void *ptr)
{
	uint32_t block = heap && bh_may_skip_lock(heap) ? bh_core_find(&heap->core, ptr) : 0;
	size_t usable;

	if (BH_UNLIKELY(!block))
		return usable_slow(heap, ptr);
	usable = usable_near(&heap->core, block);
	return BH_LIKELY(usable) ? usable : usable_far(&heap->core, block);
}

bool bheap_owns(const bheap_t *heap, const void *ptr)
{
	struct bh_call call;
	bool owns = false;

	if (bh_enter(&call, heap)) {
		owns = bh_block_find(heap, ptr) != 0;
		bh_leave(&call);
	}
	return owns;
}
