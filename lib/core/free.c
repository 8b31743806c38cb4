/* SPDX-License-Identifier: MIT */
/*
 * free.c - the cases of free. The previous block gives the row, the next block the column, and the
 * cell is the function that frees the block and merges it with its free neighbours:
 *
 *   previous \ next   live                free                top                far
 *   live              bh_free_live_live   bh_free_live_free   bh_free_live_top   bh_free_far
 *   free              free_free_live      free_free_free      free_free_top      bh_free_far
 *   free and far      bh_free_far         bh_free_far         bh_free_far        bh_free_far
 *
 * top: the last free block of the heap, or the heap's end where that is live. far: boundary tags
 * are read or written, as a whole word of the map lies between two starts, or loses its last start
 * to the merge. Merges are made by merge_free_neighbours(), with constants of each cell;
 * bh_free_live_live() is in free.h.
 */
#include "core/free.h"

#include "core/rebuild.h"

/* Where a block is freed. */
struct merge {
	uint32_t previous, next; /* the starts of the neighbours: previous only if that is free */
	bool previous_is_free;
	bool next_is_free; /* and in a bin, or the victim */
	bool next_is_top;
	bool is_far; /* tags have to be written: a constant of each cell */
};

/* The end of a free block in a bin. One that is not close says its size itself: it is large. */
static inline uint32_t free_block_end(struct bh_core *core, uint32_t block)
{
	uint32_t end = bh_map_next_close(&core->map, block), granules;

	if (BH_LIKELY(end))
		return end;
	granules = bh_bin_granules(&core->bins, &core->map, block);
	return granules ? block + granules : 0;
}

/*
 * Removes the next block, which is free, from its bin, unless it is the victim. Its end, or 0 for
 * damage.
 */
static inline uint32_t next_remove(struct bh_core *core, uint32_t next)
{
	const struct bh_control *control = core->control;
	uint32_t end;

	if (next == control->victim)
		return next + control->victim_granules;
	end = free_block_end(core, next);
	return BH_LIKELY(end && bh_bin_remove(&core->bins, next, end - next)) ? end : 0;
}

/*
 * Removes the previous block, which is free, from its bin, unless it is the victim. False for
 * damage.
 */
static inline bool previous_remove(struct bh_core *core, uint32_t previous, uint32_t block)
{
	return previous == core->control->victim ||
	       BH_LIKELY(bh_bin_remove(&core->bins, previous, block - previous));
}

/* Inserts the merged block: as the top, as the victim where it holds that, else into its bin. */
static inline void merged_insert(struct bh_core *core, uint32_t begin, uint32_t end, bool is_top)
{
	struct bh_control *control = core->control;
	bool holds_victim = control->victim - begin < end - begin;

	if (is_top)
		control->top = begin;
	if (holds_victim) {
		control->victim = is_top ? 0 : begin;
		control->victim_granules = is_top ? 0 : end - begin;
	} else if (!is_top) {
		bh_bin_insert(&core->bins, begin, end - begin);
	}
}

/*
 * Frees a block and merges it with its free neighbours. False, and the map unchanged, for damage.
 */
static BH_ALWAYS_INLINE bool merge_free_neighbours(struct bh_core *core, uint32_t block,
						   struct merge with)
{
	uint32_t begin = with.previous_is_free ? with.previous : block, end = with.next;

	BH_ASSERT(bh_core_is_live(core, block) && block < with.next);
	BH_ASSERT(!with.previous_is_free || (bh_core_is_free(core, begin) && begin < block));
	BH_ASSERT(bh_map_is_start(&core->map, with.next));
	BH_ASSERT(!with.next_is_top || with.next == core->control->top);
	BH_ASSERT(!with.next_is_free || bh_core_is_free(core, with.next));
	if (with.next_is_top) {
		end = core->end;
	} else if (with.next_is_free) {
		end = next_remove(core, with.next);
		if (BH_UNLIKELY(!end))
			return false;
	}
	if (with.previous_is_free && BH_UNLIKELY(!previous_remove(core, begin, block)))
		return false;
	bh_map_clear_used(&core->map, block);
	if ((with.next_is_free || with.next_is_top) && with.next != end)
		bh_map_clear_start(&core->map, with.next);
	if (with.previous_is_free)
		bh_map_clear_start(&core->map, block);
	if (with.is_far)
		bh_map_tag(&core->map, begin, end);
	bh_free_count(core->control, with.next - block);
	merged_insert(core, begin, end, with.next_is_top);
	return true;
}

static BH_ALWAYS_INLINE int free_finish(struct bh_core *core, uint32_t block, bool freed,
					bh_free_slow_fn *slow)
{
	void *ptr = bh_core_address(core, block);

	if (BH_UNLIKELY(!freed))
		return slow(core, ptr);
	bh_probe_free(core, ptr);
	return 0;
}

/* ---- the cells ---- */

int bh_free_live_free(struct bh_core *core, uint32_t block, uint32_t next, bh_free_slow_fn *slow)
{
	struct merge with = {.next = next, .next_is_free = true};

	return free_finish(core, block, merge_free_neighbours(core, block, with), slow);
}

int bh_free_live_top(struct bh_core *core, uint32_t block, uint32_t next, bh_free_slow_fn *slow)
{
	struct merge with = {.next = next, .next_is_top = true};

	return free_finish(core, block, merge_free_neighbours(core, block, with), slow);
}

static BH_ALWAYS_INLINE int free_free_live(struct bh_core *core, uint32_t block, uint32_t previous,
					   uint32_t next, bh_free_slow_fn *slow)
{
	struct merge with = {.previous = previous, .previous_is_free = true, .next = next};

	return free_finish(core, block, merge_free_neighbours(core, block, with), slow);
}

static BH_ALWAYS_INLINE int free_free_free(struct bh_core *core, uint32_t block, uint32_t previous,
					   uint32_t next, bh_free_slow_fn *slow)
{
	struct merge with = {
		.previous = previous, .previous_is_free = true, .next = next, .next_is_free = true};

	return free_finish(core, block, merge_free_neighbours(core, block, with), slow);
}

static BH_ALWAYS_INLINE int free_free_top(struct bh_core *core, uint32_t block, uint32_t previous,
					  uint32_t next, bh_free_slow_fn *slow)
{
	struct merge with = {
		.previous = previous, .previous_is_free = true, .next = next, .next_is_top = true};

	return free_finish(core, block, merge_free_neighbours(core, block, with), slow);
}

/* previous: the start of the previous block, if that is free; else 0. */
static BH_ALWAYS_INLINE bool free_far(struct bh_core *core, uint32_t block, uint32_t previous,
				      struct bh_map_neighbour next)
{
	bool is_top = next.granule == core->control->top;
	struct merge with = {.previous = previous,
			     .previous_is_free = previous,
			     .next = next.granule,
			     .next_is_free = !next.used,
			     .next_is_top = is_top,
			     .is_far = true};

	if (previous || is_top || !next.used)
		return merge_free_neighbours(core, block, with);
	bh_free_live_live(core, bh_core_address(core, block), bh_free_position(core, block),
			  next.granule);
	return true;
}

BH_NOINLINE
int bh_free_far(struct bh_core *core, uint32_t block, uint32_t previous, bh_free_slow_fn *slow)
{
	bool freed = free_far(core, block, previous, bh_map_next_start(&core->map, block));

	return free_finish(core, block, freed, slow);
}

enum bh_core_status bh_free_between(struct bh_core *core, uint32_t block,
				    struct bh_map_neighbour previous, struct bh_map_neighbour next)
{
	BH_ASSERT(bh_core_is_live(core, block));
	return free_far(core, block, previous.used ? 0 : previous.granule, next) ? BH_DONE
										 : BH_DAMAGED;
}

enum bh_core_status bh_free_block(struct bh_core *core, uint32_t block)
{
	return bh_free_between(core, block, bh_map_previous_start(&core->map, block),
			       bh_map_next_start(&core->map, block));
}

void bh_free_by_map(struct bh_core *core, uint32_t block)
{
	bh_map_clear_used(&core->map, block);
	bh_rebuild(core);
}

/* ---- dispatch ---- */

/*
 * The start of the previous block, if that is free; else 0. The fast path has seen that it is free
 * if it starts in the word of the block or the previous: bh_map_previous_start() would take 15
 * instructions more.
 */
static inline uint32_t previous_free(const struct bh_core *core, uint32_t block)
{
	const struct bh_map_word *words = core->map.words, *word = &words[block >> 6];
	uint64_t below = word->start & (bh_map_bit(block) - 1);
	uint32_t base = block & ~UINT32_C(63);

	if (BH_LIKELY(below))
		return base + bh_highest_bit(below);
	word--;
	if (BH_LIKELY(word->start))
		return base - 64 + bh_highest_bit(word->start);
	base = (uint32_t)bh_map_tag_begin(word) << 6;
	word = &words[base >> 6];
	base += bh_highest_bit(word->start);
	return word->used >> (base & 63) & 1 ? 0 : base;
}

/* The table's row of a live previous block that is far. */
BH_NOINLINE
static int free_live_any(struct bh_core *core, uint32_t block, bh_free_slow_fn *slow)
{
	return bh_free_live_any(core, bh_core_address(core, block), bh_free_position(core, block),
				slow);
}

/* The table's row of a free previous block that is not far. */
BH_NOINLINE
static int free_free_any(struct bh_core *core, uint32_t block, uint32_t previous,
			 bh_free_slow_fn *slow)
{
	uint64_t others = core->map.words[block >> 6].start & ~bh_map_bit(block);
	uint32_t next;
	enum bh_free_next column = bh_free_next(core, bh_free_position(core, block), &next);

	if (column == BH_NEXT_LIVE)
		return free_free_live(core, block, previous, next, slow);
	/* The merge takes two starts: of a word that has no third one, the last. */
	if (column == BH_NEXT_FAR || !(others & ~bh_map_bit(next)))
		return bh_free_far(core, block, previous, slow);
	return column == BH_NEXT_FREE ? free_free_free(core, block, previous, next, slow)
				      : free_free_top(core, block, previous, next, slow);
}

int bh_free_any(struct bh_core *core, uint32_t block, bh_free_slow_fn *slow)
{
	uint32_t previous = previous_free(core, block);

	if (!previous)
		return free_live_any(core, block, slow);
	/* The merge takes the only start of the word. */
	if (core->map.words[block >> 6].start == bh_map_bit(block))
		return bh_free_far(core, block, previous, slow);
	return free_free_any(core, block, previous, slow);
}
