/* SPDX-License-Identifier: MIT */
/*
 * free.h - an allocated block becomes free and is merged with its free neighbours. The fast path is
 * inline; if it cannot complete, it changes nothing.
 */
#ifndef BH_FREE_H
#define BH_FREE_H

#include "core/index.h"

/*
 * Frees an allocated block; BH_DAMAGED, and the map unchanged, where a free neighbour was written
 * to.
 */
enum bh_core_status bh_free_block(struct bh_core *core, uint32_t block);

/* Frees an allocated block by the map alone, and rebuilds the index. */
void bh_free_by_map(struct bh_core *core, uint32_t block);

/* Where a block starts in the map, and what stands there. */
struct bh_free_position {
	struct bh_map_word *word;
	uint64_t start, used, bit;
	void *address;
	uint32_t block;
};

static inline struct bh_free_position bh_free_position(const struct bh_core *core, uint32_t block,
						       void *address)
{
	struct bh_map_word *word = &core->map.words[block >> 6];

	return (struct bh_free_position){word,    word->start, word->used, bh_map_bit(block),
					 address, block};
}

/*
 * Whether an allocated block starts there: a word without any start has a tag in place of used
 * bits.
 */
static inline bool bh_free_is_live(const struct bh_free_position *at)
{
	return BH_LIKELY(at->start) && BH_LIKELY(at->used >> (at->block & 63) & 1);
}

/*
 * Whether a live block is in front, and starts in the block's own word of the map or the one
 * before.
 */
static inline bool bh_free_previous_is_live(const struct bh_free_position *at)
{
	const struct bh_map_word *before = &at->word[-1];
	uint64_t below = at->bit - 1;
	struct bh_map_word own = {at->start & below, at->used & below};

	return bh_map_last_is_used(&own, before);
}

/*
 * The free block in front of one that bh_free_previous_is_live() is not sure of; 0: it is live, and
 * far. By what was loaded: bh_map_previous_start() would be 15 instructions more for each large
 * block.
 */
static inline uint32_t bh_free_previous(const struct bh_free_position *at)
{
	uint32_t base = at->block & ~UINT32_C(63);
	uint64_t below = at->start & (at->bit - 1);
	const struct bh_map_word *word = &at->word[-1];

	if (BH_LIKELY(below))
		return base + bh_highest_bit(below);
	if (BH_LIKELY(word->start))
		return base - 64 + bh_highest_bit(word->start);
	base = (uint32_t)bh_map_tag_begin(word) << 6;
	word = &at->word[(int32_t)(base >> 6) - (int32_t)(at->block >> 6)];
	base += bh_highest_bit(word->start);
	return word->used >> (base & 63) & 1 ? 0 : base;
}

/* What is behind a block. */
enum bh_free_neighbour {
	BH_NEIGHBOUR_LIVE,
	BH_NEIGHBOUR_FREE,
	BH_NEIGHBOUR_FAR, /* beyond the next word, or a merge would take that word's last start */
};

/* Sets next, unless that is far. */
static inline enum bh_free_neighbour bh_free_next(const struct bh_free_position *at, uint32_t *next)
{
	uint32_t base = at->block & ~UINT32_C(63);
	uint64_t above = at->start & -(at->bit << 1);

	if (BH_LIKELY(above)) {
		*next = base + bh_lowest_bit(above);
		return at->used >> bh_lowest_bit(above) & 1 ? BH_NEIGHBOUR_LIVE : BH_NEIGHBOUR_FREE;
	}
	above = at->word[1].start;
	if (!above)
		return BH_NEIGHBOUR_FAR;
	*next = base + 64 + bh_lowest_bit(above);
	if (at->word[1].used >> bh_lowest_bit(above) & 1)
		return BH_NEIGHBOUR_LIVE;
	return above & (above - 1) ? BH_NEIGHBOUR_FREE : BH_NEIGHBOUR_FAR;
}

/* The end of a free block in a bin. One that is not near is large enough to say its size itself. */
static inline uint32_t bh_free_next_end(struct bh_core *core, uint32_t block)
{
	uint32_t end = bh_map_next_close(&core->map, block), granules;

	if (BH_LIKELY(end))
		return end;
	granules = bh_bin_granules(&core->bins, &core->map, block);
	return granules ? block + granules : 0;
}

/* The end of a free block that follows the one being freed, taken out of its bin; 0 for damage. */
static inline uint32_t bh_free_remove_next(struct bh_core *core, uint32_t next)
{
	const struct bh_control *control = core->control;
	uint32_t end;

	/* Top and victim are in no bin, and the ends of both are known. */
	if (next == control->victim)
		return next + control->victim_granules;
	if (next == control->top)
		return core->end;
	end = bh_free_next_end(core, next);
	return BH_LIKELY(end && bh_bin_remove(&core->bins, next, end - next)) ? end : 0;
}

/* Files what a free has made: it may hold the victim. */
static inline void bh_free_insert(struct bh_core *core, uint32_t begin, uint32_t end)
{
	struct bh_control *control = core->control;
	bool is_victim = control->victim - begin < end - begin;

	if (BH_UNLIKELY(end == core->end)) {
		control->top = begin;
		if (is_victim) {
			control->victim = 0;
			control->victim_granules = 0;
		}
	} else if (is_victim) {
		control->victim = begin;
		control->victim_granules = end - begin;
	} else {
		bh_bin_insert(&core->bins, begin, end - begin);
	}
}

/* What a block is freed between. */
struct bh_free_merge {
	uint32_t previous; /* where the free block in front starts; 0: a live one */
	uint32_t next;     /* where the block ends */
	bool next_free;
	bool near; /* no word loses its last start: a constant of each caller */
};

/*
 * Frees a block and merges it with its free neighbours. False, and the map unchanged, for damage.
 */
static BH_ALWAYS_INLINE bool bh_free_merge(struct bh_core *core, uint32_t block,
					   struct bh_free_merge with)
{
	struct bh_control *control = core->control;
	uint32_t begin = with.previous ? with.previous : block;
	uint32_t end = with.next_free ? bh_free_remove_next(core, with.next) : with.next;

	if (BH_UNLIKELY(!end))
		return false;
	if (with.previous && begin != control->victim &&
	    BH_UNLIKELY(!bh_bin_remove(&core->bins, begin, block - begin)))
		return false;
	bh_map_clear_used(&core->map, block);
	if (with.next_free)
		bh_map_clear_start(&core->map, with.next);
	if (with.previous)
		bh_map_clear_start(&core->map, block);
	if (!with.near)
		bh_map_tag(&core->map, begin, end);
	control->used -= with.next - block;
	control->frees++;
	bh_free_insert(core, begin, end);
	return true;
}

/* Frees a block between two live ones: not the last, which becomes the top. */
static inline void bh_free_live_live(struct bh_core *core, const struct bh_free_position *at,
				     uint32_t next)
{
	bh_map_store(&at->word->used, at->used & ~at->bit);
	core->control->used -= next - at->block;
	core->control->frees++;
	bh_bin_insert_node(&core->bins, at->address, at->block, next - at->block);
}

/*
 * Frees a block however far its neighbours are, and whatever words of the map lose their last
 * start. previous: the free block in front; 0: a live one. False, and the map unchanged, for
 * damage.
 */
static BH_ALWAYS_INLINE bool bh_free_far(struct bh_core *core, uint32_t block, uint32_t previous)
{
	struct bh_map_neighbour next = bh_map_next_start(&core->map, block);
	struct bh_free_position at;

	if (previous || !next.used || next.granule == core->end)
		return bh_free_merge(core, block,
				     (struct bh_free_merge){.previous = previous,
							    .next = next.granule,
							    .next_free = !next.used});
	at = bh_free_position(core, block, bh_core_address(core, block));
	bh_free_live_live(core, &at, next.granule);
	return true;
}

#endif
