/* SPDX-License-Identifier: MIT */
/*
 * guarded.c - verifies, changes, and guards anew, without a report and without a struct bh_call.
 * Keeps: a granule that is filled lies in no closed page, so blocks of which all is filled need no
 * look at pages.
 */
#include "api/guarded.h"

#include "core/alloc.h"
#include "core/free.h"
#include "core/probe.h"
#include "handle/fill.h"
#include "handle/marks.h"
#include "handle/pattern.h"

/* Granules of a block, at most: their bits and that of the next one fit a window of marks.h. */
#define SMALL ((uint32_t)63)

/* ---- entry and exit ---- */

/* As is_entered_freely() of a call; a walk, a limit and annotations keep calls from here. */
static inline bool needs_no_lock(const bheap_t *heap)
{
	return heap->lock.kind == BH_LOCK_NONE ||
	       (bh_lock_may_skip(&heap->lock) && !heap->lock.detour);
}

/* ---- allocate ---- */

/*
 * If so much of a free block may be handed out, clears its bits; else false, and nothing changed.
 * linked: the block is in a bin. Zeros of a page that was decommitted are no pattern: the slow path
 * knows them.
 */
static BH_ALWAYS_INLINE bool clean_take(const bheap_t *heap, uint32_t block, uint32_t granules,
					bool linked)
{
	struct bh_marks_few few = bh_marks_few(heap, block, granules);

	if (!bh_marks_few_are_filled(few) || !bh_pattern_holds_first(heap, block, linked) ||
	    !bh_pattern_holds(heap, block + 1, block + granules, BH_FILL_WORD))
		return false;
	bh_marks_few_clear(few);
	return true;
}

/* After damage: what was not handed out is filled as before. */
BH_NOINLINE
static uint32_t clean_return(const bheap_t *heap, uint32_t block, uint32_t granules)
{
	bh_marks_few_fill(bh_marks_few(heap, block, granules));
	return 0;
}

/* From the bin of its size, which has a block. */
static inline uint32_t exact_take(bheap_t *heap, uint32_t granules)
{
	struct bh_core *core = &heap->core;
	uint32_t block = bh_bin_first(&core->bins, granules);

	if (!bh_bin_first_is_sound(&core->bins, granules) ||
	    !clean_take(heap, block, granules, true))
		return 0;
	return BH_LIKELY(bh_alloc_exact(core, granules, BH_ALLOC_FAST))
		       ? block
		       : clean_return(heap, block, granules);
}

/*
 * From the victim, which has room. A rest may not begin with a page that is closed or decommitted:
 * its first granule, the second of a word of the map, would be the first start in that word, where
 * the fast path makes none.
 */
static inline uint32_t victim_take(bheap_t *heap, uint32_t granules)
{
	uint32_t block = heap->core.control->victim;

	BH_ASSERT(granules > 1);
	if (!clean_take(heap, block, granules, false))
		return 0;
	return BH_LIKELY(bh_alloc_from_victim(&heap->core, granules, BH_ALLOC_FAST))
		       ? block
		       : clean_return(heap, block, granules);
}

/* From the next larger bin of one size, whose blocks are too short to hold a closed page. */
static inline uint32_t larger_take(bheap_t *heap, uint32_t granules)
{
	struct bh_core *core = &heap->core;
	uint64_t larger = core->control->bits.words[0] >> granules;
	uint32_t bin, block;

	if (!larger)
		return 0;
	bin = granules + bh_lowest_bit(larger);
	if (bin >= core->bins.exact_limit)
		return 0;
	block = bh_bin_first(&core->bins, bin);
	if (!clean_take(heap, block, granules, true))
		return 0;
	return BH_LIKELY(bh_alloc_split(core, block, bin, granules, BH_ALLOC_FAST))
		       ? block
		       : clean_return(heap, block, granules);
}

static uint32_t block_take(bheap_t *heap, uint32_t granules)
{
	if (bh_alloc_has_exact(&heap->core, granules))
		return exact_take(heap, granules);
	if (granules <= heap->core.control->victim_granules)
		return victim_take(heap, granules);
	return larger_take(heap, granules);
}

/* In a small block, or NULL and nothing changed. */
static BH_ALWAYS_INLINE void *block_alloc(bheap_t *heap, uint32_t granules, size_t size)
{
	uint32_t block = block_take(heap, granules);
	void *ptr;

	if (BH_UNLIKELY(!block))
		return NULL;
	ptr = bh_core_address(&heap->core, block);
	bh_trailer_write_new(&heap->core, heap->key, block, granules, size,
			     (uint32_t)heap->core.control->allocations);
	bh_probe_alloc(heap, ptr, size);
	return ptr;
}

/* With the lock, if one is needed; else, and if it is not to be had, NULL. */
static inline void *alloc_entered(bheap_t *heap, uint32_t granules, size_t size)
{
	bool locks = !needs_no_lock(heap);
	enum bh_lock_tried tried = locks ? bh_lock_try(&heap->lock) : BH_LOCK_NOT_TAKEN;
	void *block;

	if (locks && BH_UNLIKELY(!tried))
		return NULL;
	block = block_alloc(heap, granules, size);
	if (tried)
		bh_lock_release_tried(&heap->lock, tried);
	return block;
}

void *bh_guarded_alloc(bheap_t *heap, size_t size, bh_guarded_alloc_slow_fn *slow)
{
	size_t granules = bh_granules(size) + BH_TRAILER_GRANULES;
	void *block = NULL;

	/* A size of 0 is not less than any. */
	if (size - 1 < bh_bytes(SMALL - BH_TRAILER_GRANULES) &&
	    granules < heap->core.bins.exact_limit)
		block = alloc_entered(heap, (uint32_t)granules, size);
	return BH_LIKELY(block) ? block : slow(heap, BH_GRANULE, size);
}

/* ---- free ---- */

/* True if the first granule of a neighbour is not free, or as it was left. */
static inline bool neighbour_is_clean(const bheap_t *heap, struct bh_map_neighbour neighbour)
{
	const struct bh_control *control = heap->core.control;
	uint32_t block = neighbour.granule;

	return neighbour.used || !bh_marks_is_filled(heap, block) ||
	       bh_pattern_holds_first(heap, block,
				      block != control->top && block != control->victim) ||
	       !bh_fill_written(heap, block, block + 1);
}

/* Fills a freed block, and what was the first granule of the one behind, if they are one now. */
static inline void merged_fill(const bheap_t *heap, uint32_t block,
			       struct bh_map_neighbour previous, struct bh_map_neighbour next)
{
	uint32_t end = next.granule + (!next.used && bh_marks_is_filled(heap, next.granule));

	bh_pattern_store(heap, block + previous.used, end);
	bh_marks_few_fill(bh_marks_few(heap, block, end - block));
	bh_fill_first(heap, previous.used ? block : previous.granule);
}

/* The slow path of a merge: damage was met, and nothing changed. */
static int merge_refuse(struct bh_core *core, void *ptr)
{
	(void)core;
	(void)ptr;
	return -1;
}

/* False for damage. */
static inline bool block_merge(struct bh_core *core, uint32_t block, bool previous_is_live)
{
	return previous_is_live ? !bh_free_live_any(core, bh_core_address(core, block),
						    bh_free_position(core, block), merge_refuse)
				: !bh_free_any(core, block, merge_refuse);
}

/* Of a block with a free neighbour, or at the end of the heap; as block_free(). */
BH_NOINLINE
static bool merged_free(bheap_t *heap, uint32_t block)
{
	struct bh_map_neighbour previous = bh_map_previous_start(&heap->core.map, block),
				next = bh_map_next_start(&heap->core.map, block);

	if (!neighbour_is_clean(heap, previous) || !neighbour_is_clean(heap, next) ||
	    !block_merge(&heap->core, block, previous.used))
		return false;
	merged_fill(heap, block, previous, next);
	return true;
}

/* Of a block between live ones: its node is written over the pattern. */
static inline void alone_free(bheap_t *heap, struct bh_free_position at, uint32_t next, void *ptr)
{
	bh_pattern_store(heap, at.block, next);
	bh_marks_few_fill(bh_marks_few(heap, at.block, next - at.block));
	bh_free_live_live(&heap->core, ptr, at, next);
	bh_probe_free(heap, ptr);
}

/*
 * Of a live block; false, and nothing changed, if it is not small, or anything is found. In a
 * buffer another seal lies before the first block.
 */
static BH_ALWAYS_INLINE bool block_free(bheap_t *heap, uint32_t block, void *ptr)
{
	struct bh_core *core = &heap->core;
	struct bh_free_position at = bh_free_position(core, block);
	uint32_t next = bh_map_next_close(&core->map, block);

	if (next - block > SMALL || (block == BH_FIRST && bh_handle_front_size(heap)) ||
	    !bh_trailer_is_intact_small(core, heap->key, block, next - block))
		return false;
	if (!bh_free_previous_is_live(at) || !bh_map_is_used(&core->map, next) || next == core->end)
		return merged_free(heap, block);
	alone_free(heap, at, next, ptr);
	return true;
}

static inline bool pointer_free(bheap_t *heap, void *ptr)
{
	uint32_t block = bh_core_find(&heap->core, ptr);

	return block && block_free(heap, block, ptr);
}

int bh_guarded_free(bheap_t *heap, void *ptr, bh_guarded_free_slow_fn *slow)
{
	bool locks = !needs_no_lock(heap), done;
	enum bh_lock_tried tried = locks ? bh_lock_try(&heap->lock) : BH_LOCK_NOT_TAKEN;

	if (locks && BH_UNLIKELY(!tried))
		return slow(heap, ptr);
	done = pointer_free(heap, ptr);
	if (tried)
		bh_lock_release_tried(&heap->lock, tried);
	return BH_LIKELY(done) ? 0 : slow(heap, ptr);
}
