/* SPDX-License-Identifier: MIT */
/*
 * alloc.h - a free block becomes an allocated one, whole or split. Each way to do so is an inline
 * function that gets the path as a constant: on the fast path, which is for small blocks, it is cut
 * to what needs no boundary tag; if it cannot complete, it changes nothing, and bh_alloc_block()
 * does the whole.
 */
#ifndef BH_ALLOC_H
#define BH_ALLOC_H

#include "core/index.h"

/* A block of granules, not 0, or 0: no room, or (bins.damaged is set) damage. */
uint32_t bh_alloc_block(struct bh_core *core, size_t granules);

/*
 * A block whose address is a multiple of alignment, a power of two above a granule; or 0, as above.
 */
uint32_t bh_alloc_aligned(struct bh_core *core, size_t alignment, size_t granules);

/*
 * Allocates by the map alone, which is walked, and rebuilds the index: for a heap in which damage
 * comes back as often as it is rebuilt. alignment: a power of two, a granule at least. 0: no room.
 */
uint32_t bh_alloc_by_map(struct bh_core *core, size_t alignment, size_t granules);

/* A constant of each caller. Shared heaps do not take the fast path: it leaves control->pending. */
enum bh_alloc_path {
	BH_ALLOC_FAST,
	BH_ALLOC_WHOLE,
};

/* Marks a free block of so many granules allocated: the one store that commits an allocation. */
static BH_ALWAYS_INLINE uint32_t bh_alloc_commit(struct bh_core *core, uint32_t block,
						 uint32_t granules, enum bh_alloc_path path)
{
	struct bh_control *control = core->control;
	uint32_t used;

	BH_ASSERT(bh_core_is_free(core, block));
	BH_ASSERT(granules - 1 < core->bins.span - control->used);
	if (path == BH_ALLOC_WHOLE)
		control->pending = block;
	bh_map_set_used(&core->map, block);
	used = control->used + granules;
	control->used = used;
	if (BH_UNLIKELY(control->peak < used))
		control->peak = used;
	control->allocations++;
	return block;
}

/*
 * A small block that is handed out whole needs none: each of its pages has a granule that the
 * library writes to.
 */
static BH_ALWAYS_INLINE bool bh_alloc_prepare(struct bh_core *core, uint32_t from, uint32_t to,
					      enum bh_alloc_path path)
{
	return path == BH_ALLOC_FAST || bh_core_prepare(core, from, to);
}

/* Ends block at rest, inside or at the end of the free block that ends at end; false: cannot. */
static BH_ALWAYS_INLINE bool bh_alloc_cut(struct bh_core *core, uint32_t block, uint32_t rest,
					  uint32_t end, enum bh_alloc_path path)
{
	BH_ASSERT(block < rest && rest <= end && end <= core->end);
	if (path == BH_ALLOC_FAST)
		return bh_map_try_start(&core->map, rest);
	bh_map_set_start(&core->map, rest, block, end);
	return true;
}

/* A whole block, the first of the bin of its size; 0 for damage. */
static BH_ALWAYS_INLINE uint32_t bh_alloc_exact(struct bh_core *core, uint32_t granules,
						enum bh_alloc_path path)
{
	uint32_t block = bh_bin_first(&core->bins, granules);
	bool removed = path == BH_ALLOC_FAST ? bh_bin_pop(&core->bins, block, granules)
					     : bh_bin_remove(&core->bins, block, granules);

	if (BH_UNLIKELY(!removed))
		return 0;
	return bh_alloc_commit(core, block, granules, path);
}

/* From the victim, which has room. */
static BH_ALWAYS_INLINE uint32_t bh_alloc_from_victim(struct bh_core *core, uint32_t granules,
						      enum bh_alloc_path path)
{
	struct bh_control *control = core->control;
	uint32_t block = control->victim, end = block + control->victim_granules, rest;

	BH_ASSERT(block && granules - 1 < control->victim_granules);
	if (BH_UNLIKELY(!bh_alloc_prepare(core, block, block + granules, path)) ||
	    BH_UNLIKELY(!bh_alloc_cut(core, block, block + granules, end, path)))
		return 0;
	BH_FORGET(control);
	rest = control->victim_granules - granules;
	control->victim_granules = rest;
	control->victim = rest ? block + granules : 0;
	return bh_alloc_commit(core, block, granules, path);
}

/* From the top, if it has room; else 0. */
static BH_ALWAYS_INLINE uint32_t bh_alloc_from_top(struct bh_core *core, uint32_t granules,
						   enum bh_alloc_path path)
{
	struct bh_control *control = core->control;
	uint32_t block = control->top;

	BH_ASSERT(granules && block - BH_FIRST <= core->bins.span);
	if (BH_UNLIKELY(core->end - block < granules) ||
	    BH_UNLIKELY(!bh_alloc_prepare(core, block, block + granules, path)) ||
	    BH_UNLIKELY(!bh_alloc_cut(core, block, block + granules, core->end, path)))
		return 0;
	control->top = block + granules;
	return bh_alloc_commit(core, block, granules, path);
}

/* The rest of a small split becomes the victim: the next small requests lie next to this one. */
static inline void bh_alloc_set_victim(struct bh_core *core, uint32_t block, uint32_t granules)
{
	struct bh_control *control = core->control;

	BH_ASSERT(bh_core_is_free(core, block) && granules);
	if (control->victim)
		bh_bin_insert(&core->bins, control->victim, control->victim_granules);
	control->victim = block;
	control->victim_granules = granules;
}

/*
 * From a larger block in a bin; 0 for damage. On the fast path it is the first of a bin of one
 * size, shorter than a word of the map: the word in which the rest starts has a start already, that
 * of this block or of the next.
 */
static BH_ALWAYS_INLINE uint32_t bh_alloc_split(struct bh_core *core, uint32_t block, uint32_t size,
						uint32_t granules, enum bh_alloc_path path)
{
	uint32_t rest = block + granules;
	bool removed = path == BH_ALLOC_FAST ? bh_bin_first_is_sound(&core->bins, size) &&
						       bh_bin_pop(&core->bins, block, size)
					     : bh_bin_remove(&core->bins, block, size);

	if (BH_UNLIKELY(!removed))
		return 0;
	BH_ASSERT(granules && granules <= size);
	if (BH_UNLIKELY(!bh_alloc_prepare(core, block, rest, path))) {
		bh_bin_insert(&core->bins, block, size);
		return 0;
	}
	BH_ASSERT(path == BH_ALLOC_WHOLE || core->map.words[rest >> 6].start);
	if (path == BH_ALLOC_FAST || size > granules) {
		bh_alloc_cut(core, block, rest, block + size, path);
		if (path == BH_ALLOC_FAST || granules < core->bins.exact_limit)
			bh_alloc_set_victim(core, rest, size - granules);
		else
			bh_bin_insert(&core->bins, rest, size - granules);
	}
	return bh_alloc_commit(core, block, granules, path);
}

/* ---- fast path ---- */

/* True if the bin of the size of a small block has one. */
static inline bool bh_alloc_has_exact(const struct bh_core *core, size_t granules)
{
	BH_ASSERT(granules - 1 < core->bins.exact_limit - 1);
	return core->control->bits.words[0] >> granules & 1;
}

/*
 * With no block in the bin of its size: from the victim, else, when no bin can help, from the top;
 * else 0.
 */
static BH_ALWAYS_INLINE uint32_t bh_alloc_fast_cut(struct bh_core *core, uint32_t granules)
{
	const struct bh_control *control = core->control;

	BH_ASSERT(granules - 1 < core->bins.exact_limit - 1);
	if (BH_LIKELY(granules <= control->victim_granules))
		return bh_alloc_from_victim(core, granules, BH_ALLOC_FAST);
	if (control->bits.words[0] >> granules | control->bits.summary)
		return 0;
	return bh_alloc_from_top(core, granules, BH_ALLOC_FAST);
}

/* From the next larger bin of one size, the victim being too small; else 0. */
static BH_ALWAYS_INLINE uint32_t bh_alloc_fast_split(struct bh_core *core, uint32_t granules)
{
	struct bh_control *control = core->control;
	uint64_t larger = control->bits.words[0] >> granules;
	uint32_t bin;

	BH_ASSERT(granules - 1 < core->bins.exact_limit - 1);
	if (!larger || control->victim_granules >= granules)
		return 0;
	bin = granules + bh_lowest_bit(larger);
	if (BH_UNLIKELY(bin >= core->bins.exact_limit))
		return 0;
	return bh_alloc_split(core, bh_bin_first(&core->bins, bin), bin, granules, BH_ALLOC_FAST);
}

/* All of these, then the whole: for a caller that holds the lock, and so has a frame. */
static inline uint32_t bh_alloc_fast(struct bh_core *core, size_t granules)
{
	uint32_t block = 0, small = (uint32_t)granules;

	if (BH_LIKELY(granules < core->bins.exact_limit)) {
		if (bh_alloc_has_exact(core, granules))
			block = bh_alloc_exact(core, small, BH_ALLOC_FAST);
		else if (!(block = bh_alloc_fast_cut(core, small)))
			block = bh_alloc_fast_split(core, small);
	}
	return BH_LIKELY(block) ? block : bh_alloc_block(core, granules);
}

#endif
