/* SPDX-License-Identifier: MIT */
/*
 * alloc.c - the choice of a free block for every request, and its split.
 * Keeps: no two free blocks are neighbours; the free block at the end is the top; the victim and
 * the top are in no bin, every other free block is in the bin of its size.
 */
#include "core/alloc.h"

#include "core/rebuild.h"

/*
 * How many blocks a request looks at for a better fit: of its own bin, and of one where each has
 * room (doc/decisions.md, "Best fit by size labels").
 */
#define PROBES 12
#define PROBES_LARGER 6

/*
 * Validates a candidate chosen by its untrusted size label: it must be the start of a free block,
 * and the label must match. False, with damage noted, if not.
 */
static inline bool block_is_true(struct bh_core *core, uint32_t block)
{
	if (BH_LIKELY(bh_map_is_start(&core->map, block) && !bh_map_is_used(&core->map, block)))
		return bh_bin_granules(&core->bins, &core->map, block);
	core->bins.damaged = block;
	return false;
}

/*
 * The smallest of the first few blocks of a bin of more than one size that has room for granules,
 * by what they say; its size in *size. Only the one chosen is looked at closely; with damage noted
 * none is.
 */
BH_UNCHECKED
static uint32_t bin_probe(struct bh_core *core, uint32_t bin, uint32_t granules, unsigned probes,
			  uint32_t *size)
{
	const struct bh_bins *bins = &core->bins;
	uint32_t block = bh_bin_first(bins, bin), best = 0, excess = UINT32_MAX - granules;

	/* Nothing follows 0, nor what leads out of the heap. */
	for (unsigned left = core->realtime ? 1 : probes; block - 1 < bins->span && excess && left;
	     left--) {
		const struct bh_bin_node *node = bh_bin_node(bins, block);
		uint32_t more = node->granules - granules;

		/* A block that is too small wraps to more than any excess. */
		if (more < excess) {
			best = block;
			excess = more;
		}
		block = node->links.next;
	}
	*size = granules + excess;
	return best && block_is_true(core, best) ? best : 0;
}

/* bin_probe() in a bin whose blocks all have room: if none says so, that is damage. */
static uint32_t bin_probe_larger(struct bh_core *core, uint32_t bin, uint32_t granules,
				 uint32_t *size)
{
	uint32_t block = bin_probe(core, bin, granules, PROBES_LARGER, size);

	if (BH_UNLIKELY(!block) && !core->bins.damaged)
		core->bins.damaged = bh_bin_first(&core->bins, bin);
	return block;
}

/* The smallest of all blocks of a bin that has room, every link and size looked at. */
static uint32_t bin_search(struct bh_core *core, uint32_t bin, uint32_t granules, uint32_t *size)
{
	uint32_t best = 0, block = bh_bin_first(&core->bins, bin);

	*size = UINT32_MAX;
	while (block && *size != granules) {
		uint32_t candidate = bh_bin_granules(&core->bins, &core->map, block);

		if (candidate >= granules && candidate < *size) {
			best = block;
			*size = candidate;
		}
		block = candidate ? bh_bin_next(&core->bins, block) : 0;
	}
	return core->bins.damaged ? 0 : best;
}

/* A small request with neither an exact bin nor a victim. */
static uint32_t allocate_small_rest(struct bh_core *core, uint32_t granules, uint64_t larger)
{
	uint32_t bin, block, size;

	bin = larger ? granules + bh_lowest_bit(larger) : bh_bin_find(&core->bins, 64);
	if (!bin)
		return bh_alloc_from_top(core, granules, BH_ALLOC_WHOLE);
	if (bin < core->bins.exact_limit)
		return bh_alloc_split(core, bh_bin_first(&core->bins, bin), bin, granules,
				      BH_ALLOC_WHOLE);
	block = bin_probe_larger(core, bin, granules, &size);
	return block ? bh_alloc_split(core, block, size, granules, BH_ALLOC_WHOLE) : 0;
}

/*
 * True if the size label of a block in a bin of more than one size is the size wanted, and valid.
 */
BH_UNCHECKED
static inline bool block_fits(struct bh_core *core, uint32_t block, uint32_t granules)
{
	return bh_bin_node(&core->bins, block)->granules == granules &&
	       bh_bin_granules(&core->bins, &core->map, block);
}

/* From the bin of its size; 0: none in the first few is large enough, or damage. */
static inline uint32_t own_bin_probe(struct bh_core *core, uint32_t own, uint32_t granules,
				     uint32_t *size)
{
	uint32_t first = bh_bin_first(&core->bins, own);

	*size = UINT32_MAX;
	if (!first)
		return 0;
	if (block_fits(core, first, granules)) {
		*size = granules;
		return first;
	}
	return bin_probe(core, own, granules, PROBES, size);
}

/*
 * Exact, then the next larger bin, then the victim if it is the better fit, then the top, then a
 * whole search.
 */
static uint32_t allocate_large(struct bh_core *core, uint32_t granules)
{
	struct bh_control *control = core->control;
	uint32_t own = bh_bin_of(&core->bins, granules);
	uint32_t block, size, bin;

	block = own_bin_probe(core, own, granules, &size);
	if (!block && !core->bins.damaged) {
		bin = bh_bin_find(&core->bins, own + 1);
		if (bin)
			block = bin_probe_larger(core, bin, granules, &size);
	}
	if (BH_UNLIKELY(core->bins.damaged))
		return 0;
	if (control->victim_granules >= granules && control->victim_granules <= size)
		return bh_alloc_from_victim(core, granules, BH_ALLOC_WHOLE);
	if (block)
		return bh_alloc_split(core, block, size, granules, BH_ALLOC_WHOLE);
	block = bh_alloc_from_top(core, granules, BH_ALLOC_WHOLE);
	if (block || core->realtime)
		return block;
	block = bin_search(core, own, granules, &size);
	return block ? bh_alloc_split(core, block, size, granules, BH_ALLOC_WHOLE) : 0;
}

uint32_t bh_alloc_block(struct bh_core *core, size_t count)
{
	uint32_t granules = (uint32_t)count;

	BH_ASSERT(count);
	if (BH_LIKELY(count < core->bins.exact_limit)) {
		uint64_t bins = core->bins.bits->words[0] >> granules;

		if (bins & 1)
			return bh_alloc_exact(core, granules, BH_ALLOC_WHOLE);
		if (granules <= core->control->victim_granules)
			return bh_alloc_from_victim(core, granules, BH_ALLOC_WHOLE);
		return allocate_small_rest(core, granules, bins);
	}
	return count <= core->bins.span ? allocate_large(core, granules) : 0;
}

/* ---- aligned ---- */

/* Granules from the start of a block to the first aligned one. */
static size_t aligned_skip(const struct bh_core *core, uint32_t block, size_t alignment)
{
	uintptr_t address = (uintptr_t)bh_core_address(core, block);

	return (size_t)(-address & (alignment - 1)) >> BH_GRANULE_SHIFT;
}

/* A free block that holds an aligned block, by a search of the whole heap; 0 if there is none. */
static uint32_t aligned_search(const struct bh_core *core, size_t alignment, size_t granules)
{
	for (uint32_t block = BH_FIRST; block < core->end;) {
		uint32_t next = bh_map_next(&core->map, block);

		if (!bh_map_is_used(&core->map, block) &&
		    aligned_skip(core, block, alignment) + granules <= next - block)
			return block;
		block = next;
	}
	return 0;
}

/* The first block of the bin of the request's own size: perhaps an aligned one, freed before. */
static uint32_t aligned_exact(struct bh_core *core, size_t alignment, uint32_t granules)
{
	uint32_t bin = bh_bin_of(&core->bins, granules), size = granules;
	uint32_t block = bh_bin_first(&core->bins, bin);

	if (block && bin >= core->bins.exact_limit)
		size = bh_bin_granules(&core->bins, &core->map, block);
	return block && aligned_skip(core, block, alignment) + granules <= size ? block : 0;
}

/*
 * A free block in which alignment cannot fail, from the bins or the top; else searched for, by one
 * look in a heap of bounded time.
 */
static uint32_t aligned_candidate(struct bh_core *core, size_t alignment, size_t granules)
{
	size_t wanted = granules + (alignment >> BH_GRANULE_SHIFT) - 1;
	struct bh_control *control = core->control;
	uint32_t bin, block = 0, size;

	if (wanted <= core->bins.span) {
		bin = bh_bin_find(&core->bins, bh_bin_of(&core->bins, (uint32_t)wanted - 1) + 1);
		if (bin)
			block = bin < core->bins.exact_limit
					? bh_bin_first(&core->bins, bin)
					: bin_probe_larger(core, bin, (uint32_t)wanted, &size);
		if (block || core->bins.damaged)
			return block;
		if (control->victim_granules >= wanted)
			return control->victim;
	}
	if (core->end - control->top >= aligned_skip(core, control->top, alignment) + granules)
		return control->top;
	return core->realtime ? aligned_exact(core, alignment, (uint32_t)granules)
			      : aligned_search(core, alignment, granules);
}

uint32_t bh_alloc_aligned(struct bh_core *core, size_t alignment, size_t count)
{
	uint32_t granules = (uint32_t)count, whole, skip, size, block;

	BH_ASSERT(count && bh_is_power_of_two(alignment) && alignment > BH_GRANULE);
	if (count > core->bins.span)
		return 0;
	whole = aligned_candidate(core, alignment, granules);
	if (!whole || core->bins.damaged)
		return 0;
	skip = (uint32_t)aligned_skip(core, whole, alignment);
	size = bh_index_remove(core, whole);
	if (!size)
		return 0;
	BH_ASSERT(skip + granules <= size);
	block = whole + skip;
	if (!bh_core_prepare(core, block, block + granules)) {
		bh_index_insert(core, whole, size);
		return 0;
	}
	if (skip) {
		bh_map_set_start(&core->map, block, whole, whole + size);
		bh_bin_insert(&core->bins, whole, skip);
	}
	if (size > skip + granules) {
		bh_map_set_start(&core->map, block + granules, block, whole + size);
		bh_index_insert(core, block + granules, size - skip - granules);
	}
	return bh_alloc_commit(core, block, granules, BH_ALLOC_WHOLE);
}

uint32_t bh_alloc_by_map(struct bh_core *core, size_t alignment, size_t count)
{
	uint32_t whole = count <= core->bins.span ? aligned_search(core, alignment, count) : 0;
	uint32_t granules = (uint32_t)count, block, next;

	BH_ASSERT(count && bh_is_power_of_two(alignment) && alignment >= BH_GRANULE);
	if (!whole)
		return 0;
	next = bh_map_next(&core->map, whole);
	block = whole + (uint32_t)aligned_skip(core, whole, alignment);
	if (!bh_core_prepare(core, block, block + granules))
		return 0;
	if (block > whole)
		bh_map_set_start(&core->map, block, whole, next);
	if (block + granules < next)
		bh_map_set_start(&core->map, block + granules, block, next);
	bh_alloc_commit(core, block, granules, BH_ALLOC_WHOLE);
	bh_rebuild(core);
	return block;
}
