/* SPDX-License-Identifier: MIT */
/*
 * free.h - an allocated block becomes free and is merged with its free neighbours. free.c has the
 * table of cases; here are the fast path and the case it ends in most often. If the fast path
 * cannot complete, it changes nothing and tail-calls the slow path, a function of its caller.
 */
#ifndef BH_FREE_H
#define BH_FREE_H

#include "core/index.h"
#include "core/probe.h"

/* Frees what the fast path could not: its result is that of the call. */
typedef int bh_free_slow_fn(struct bh_core *core, void *ptr);

/*
 * Frees an allocated block; BH_DAMAGED, and the map unchanged, where a free neighbour was written
 * to.
 */
enum bh_core_status bh_free_block(struct bh_core *core, uint32_t block);

/* The same with its neighbours, which were just found: the sentinels are ones, too. */
enum bh_core_status bh_free_between(struct bh_core *core, uint32_t block,
				    struct bh_map_neighbour previous, struct bh_map_neighbour next);

/* Frees an allocated block by the map alone, and rebuilds the index. */
void bh_free_by_map(struct bh_core *core, uint32_t block);

/*
 * Where the fast path ends in other cells of the table than its own. Each frees block and returns
 * 0, or, with damage met and nothing changed, what slow returns.
 */
int bh_free_live_free(struct bh_core *core, uint32_t block, uint32_t next, bh_free_slow_fn *slow);
int bh_free_live_top(struct bh_core *core, uint32_t block, uint32_t next, bh_free_slow_fn *slow);
/* previous: the start of the previous block, if that is free; else 0. */
int bh_free_far(struct bh_core *core, uint32_t block, uint32_t previous, bh_free_slow_fn *slow);
/*
 * Finds the row of a block whose previous block is free, or in another word than this or the one
 * before.
 */
int bh_free_any(struct bh_core *core, uint32_t block, bh_free_slow_fn *slow);

/* ---- neighbours ---- */

/* A block and the word of the map that its start is in. */
struct bh_free_position {
	struct bh_map_word *word;
	uint32_t block;
};

static inline struct bh_free_position bh_free_position(const struct bh_core *core, uint32_t block)
{
	return (struct bh_free_position){&core->map.words[block >> 6], block};
}

/* True if an allocated block starts there. */
static inline bool bh_free_is_live(struct bh_free_position at)
{
	return at.word->start & at.word->used & bh_map_bit(at.block);
}

/*
 * True if the previous block is live and starts in the block's own word of the map or the previous
 * one.
 */
static inline bool bh_free_previous_is_live(struct bh_free_position at)
{
	uint64_t below = bh_map_bit(at.block) - 1;
	const struct bh_map_word *word = at.word, *before = &at.word[-1];

	return bh_map_last_is_used((word->start ^ word->used) & below, word->used & below,
				   before->start ^ before->used, before->used);
}

/* The column of the table that a block belongs in. */
enum bh_free_next {
	BH_NEXT_LIVE,
	BH_NEXT_FREE,
	BH_NEXT_TOP,
	BH_NEXT_FAR,
};

/* The column of a next block that is not far. At the end of the heap the top is empty and live. */
static inline enum bh_free_next bh_free_column(const struct bh_core *core, uint32_t next, bool used)
{
	if (used)
		return BH_LIKELY(next != core->end) ? BH_NEXT_LIVE : BH_NEXT_TOP;
	return BH_LIKELY(next != core->control->top) ? BH_NEXT_FREE : BH_NEXT_TOP;
}

/* Finds the next block: sets next, unless that is far. */
static inline enum bh_free_next bh_free_next(const struct bh_core *core, struct bh_free_position at,
					     uint32_t *next)
{
	uint64_t above = at.word->start >> (at.block & 63) >> 1;

	if (BH_LIKELY(above)) {
		*next = at.block + 1 + bh_lowest_bit(above);
		return bh_free_column(core, *next, at.word->used >> (*next & 63) & 1);
	}
	above = at.word[1].start;
	if (!above)
		return BH_NEXT_FAR;
	*next = (at.block & ~UINT32_C(63)) + 64 + bh_lowest_bit(above);
	if (at.word[1].used >> bh_lowest_bit(above) & 1)
		return bh_free_column(core, *next, true);
	return above & (above - 1) ? bh_free_column(core, *next, false) : BH_NEXT_FAR;
}

/* ---- fast path ---- */

static inline void bh_free_count(struct bh_control *control, uint32_t granules)
{
	BH_ASSERT(granules && granules <= control->used);
	BH_ASSERT(control->frees != control->allocations); /* either may have wrapped */
	control->used -= granules;
	control->frees++;
}

/* Frees a block between two live ones; next is not the empty top. */
static inline void bh_free_live_live(struct bh_core *core, void *ptr, struct bh_free_position at,
				     uint32_t next)
{
	BH_ASSERT(ptr == bh_core_address(core, at.block));
	BH_ASSERT(bh_free_is_live(at) && bh_core_is_live(core, next) && next != core->end);
	bh_map_store(&at.word->used, at.word->used & ~bh_map_bit(at.block));
	bh_free_count(core->control, next - at.block);
	bh_bin_insert_node(&core->bins, ptr, at.block, next - at.block);
}

/* The table's row of a live previous block. */
static BH_ALWAYS_INLINE int bh_free_live_any(struct bh_core *core, void *ptr,
					     struct bh_free_position at, bh_free_slow_fn *slow)
{
	uint32_t next;

	switch (bh_free_next(core, at, &next)) {
	case BH_NEXT_LIVE:
		bh_probe_free(core, ptr);
		BH_FORGET(at.word);
		BH_FORGET(at.block);
		bh_free_live_live(core, ptr, at, next);
		return 0;
	case BH_NEXT_FREE: return bh_free_live_free(core, at.block, next, slow);
	case BH_NEXT_TOP: return bh_free_live_top(core, at.block, next, slow);
	default: return bh_free_far(core, at.block, 0, slow);
	}
}

/*
 * Frees what ptr points to if that is a block and no damage is met: 0. Else the slow path's result.
 * Each question reads the map again: what is kept in registers from one to the next costs the
 * caller a stack frame.
 */
static BH_ALWAYS_INLINE int bh_free_fast(struct bh_core *core, void *ptr, bh_free_slow_fn *slow)
{
	struct bh_free_position at;
	uint32_t block = bh_core_granule(core, ptr);

	if (BH_UNLIKELY(!block))
		return slow(core, ptr);
	BH_FORGET(block);
	at = bh_free_position(core, block);
	if (BH_UNLIKELY(!bh_free_is_live(at)))
		return slow(core, ptr);
	BH_FORGET(at.word);
	if (!bh_free_previous_is_live(at))
		return bh_free_any(core, block, slow);
	BH_FORGET(at.word);
	BH_FORGET(at.block);
	return bh_free_live_any(core, ptr, at, slow);
}

#endif
