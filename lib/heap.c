/* SPDX-License-Identifier: MIT */
/*
 * heap.c - allocate, free, resize: which block is taken, how it is split and merged.
 * Keeps: no two free blocks are neighbours; the free block at the end is the top; the victim and
 * the top are in no bin, every other free block is in the bin of its size.
 */
#include "fast.h"

/* How many blocks a request looks at for a better fit: of its own bin, and of one where each has room. */
#define PROBES 12
#define PROBES_LARGER 6

/* ---- allocate ---- */

static inline uint32_t allocate_from_victim(struct bh_heap *heap, uint32_t granules)
{
	struct bh_control *control = heap->control;
	uint32_t block = control->victim;
	uint32_t rest = control->victim_granules - granules;

	bh_map_set_start(&heap->map, block + granules, block, block + granules + rest);
	control->victim = rest ? block + granules : 0;
	control->victim_granules = rest;
	return bh_block_commit(heap, block, granules);
}

static inline uint32_t allocate_from_top(struct bh_heap *heap, uint32_t granules)
{
	struct bh_control *control = heap->control;
	uint32_t block = control->top;

	if (BH_UNLIKELY(heap->end - block < granules))
		return 0;
	bh_map_set_start(&heap->map, block + granules, block, heap->end);
	control->top = block + granules;
	return bh_block_commit(heap, block, granules);
}

/* The rest of a small split becomes the victim: the next small requests lie beside this one. */
static inline void victim_replace(struct bh_heap *heap, uint32_t block, uint32_t granules)
{
	struct bh_control *control = heap->control;

	if (control->victim_granules)
		bh_bin_link(&heap->bins, control->victim, control->victim_granules);
	control->victim = block;
	control->victim_granules = granules;
}

/* Takes a block of the given size out of its bin and splits it at the low end. */
static inline uint32_t allocate_by_split(struct bh_heap *heap, uint32_t block, uint32_t size,
					 uint32_t granules)
{
	uint32_t rest = size - granules;

	if (BH_UNLIKELY(!bh_bin_unlink(&heap->bins, block, size)))
		return 0;
	if (rest) {
		bh_map_set_start(&heap->map, block + granules, block, block + size);
		if (granules < heap->bins.exact_limit)
			victim_replace(heap, block + granules, rest);
		else
			bh_bin_link(&heap->bins, block + granules, rest);
	}
	return bh_block_commit(heap, block, granules);
}

/* Whether a block that was found by what it says is what it says. */
static inline bool block_is_true(struct bh_heap *heap, uint32_t block)
{
	if (BH_LIKELY(bh_map_is_start(&heap->map, block) && !bh_map_is_used(&heap->map, block)))
		return bh_bin_granules(&heap->bins, &heap->map, block);
	heap->bins.damaged = block;
	return false;
}

/*
 * The smallest of the first few blocks of a bin of more than one size that has room for granules, by
 * what they say; its size in *size. Only the one chosen is looked at closely; with damage noted none
 * is.
 */
BH_UNCHECKED
static uint32_t bin_probe(struct bh_heap *heap, uint32_t bin, uint32_t granules, unsigned probes,
			  uint32_t *size)
{
	const struct bh_bins *bins = &heap->bins;
	uint32_t block = bh_bin_first(bins, bin), best = 0, excess = UINT32_MAX - granules;

	/* Nothing follows 0, nor what leads out of the heap. */
	for (unsigned left = heap->realtime ? 1 : probes; block - 1 < bins->span && excess && left;
	     left--) {
		const struct bh_node *node = bh_node(bins, block);
		uint32_t more = node->granules - granules;

		/* What is too small wraps to more than anything. */
		if (more < excess) {
			best = block;
			excess = more;
		}
		block = node->links.next;
	}
	*size = granules + excess;
	return best && block_is_true(heap, best) ? best : 0;
}

/* The same in a bin of which every block has room: it is damage if none says so. */
static uint32_t bin_probe_larger(struct bh_heap *heap, uint32_t bin, uint32_t granules,
				 uint32_t *size)
{
	uint32_t block = bin_probe(heap, bin, granules, PROBES_LARGER, size);

	if (BH_UNLIKELY(!block))
		heap->bins.damaged = bh_bin_first(&heap->bins, bin);
	return block;
}

/* The smallest of all blocks of a bin that has room, every link and size looked at. */
static uint32_t bin_search(struct bh_heap *heap, uint32_t bin, uint32_t granules, uint32_t *size)
{
	uint32_t best = 0, block = bh_bin_first(&heap->bins, bin);

	*size = UINT32_MAX;
	while (block && *size != granules) {
		uint32_t candidate = bh_bin_granules(&heap->bins, &heap->map, block);

		if (candidate >= granules && candidate < *size) {
			best = block;
			*size = candidate;
		}
		block = candidate ? bh_bin_following(&heap->bins, block) : 0;
	}
	return heap->bins.damaged ? 0 : best;
}

/* A small request with neither an exact bin nor a victim. */
static uint32_t allocate_small_rest(struct bh_heap *heap, uint32_t granules, uint64_t larger)
{
	uint32_t bin, block, size;

	bin = larger ? granules + bh_lowest_bit(larger) : bh_bin_find(&heap->bins, 64);
	if (!bin)
		return allocate_from_top(heap, granules);
	if (bin < heap->bins.exact_limit)
		return allocate_by_split(heap, bh_bin_first(&heap->bins, bin), bin, granules);
	block = bin_probe_larger(heap, bin, granules, &size);
	return block ? allocate_by_split(heap, block, size, granules) : 0;
}

/* Whether a block of a bin of more than one size says that it has just the size that is wanted. */
BH_UNCHECKED
static inline bool block_fits(struct bh_heap *heap, uint32_t block, uint32_t granules)
{
	return bh_node(&heap->bins, block)->granules == granules &&
	       bh_bin_granules(&heap->bins, &heap->map, block);
}

/* From the bin of its size; 0: none in the first few is large enough, or damage. */
static inline uint32_t own_bin_probe(struct bh_heap *heap, uint32_t own, uint32_t granules,
				     uint32_t *size)
{
	uint32_t first = bh_bin_first(&heap->bins, own);

	*size = UINT32_MAX;
	if (!first)
		return 0;
	if (block_fits(heap, first, granules)) {
		*size = granules;
		return first;
	}
	return bin_probe(heap, own, granules, PROBES, size);
}

/* Exact, then the next larger bin, then the victim if it is the better fit, then the top, then a whole search. */
static uint32_t allocate_large(struct bh_heap *heap, uint32_t granules)
{
	struct bh_control *control = heap->control;
	uint32_t own = bh_bin_of(&heap->bins, granules);
	uint32_t block, size, bin;

	block = own_bin_probe(heap, own, granules, &size);
	if (!block && !heap->bins.damaged) {
		bin = bh_bin_find(&heap->bins, own + 1);
		if (bin)
			block = bin_probe_larger(heap, bin, granules, &size);
	}
	if (BH_UNLIKELY(heap->bins.damaged))
		return 0;
	if (control->victim_granules >= granules && control->victim_granules <= size)
		return allocate_from_victim(heap, granules);
	if (block)
		return allocate_by_split(heap, block, size, granules);
	block = allocate_from_top(heap, granules);
	if (block || heap->realtime)
		return block;
	block = bin_search(heap, own, granules, &size);
	return block ? allocate_by_split(heap, block, size, granules) : 0;
}

uint32_t bh_heap_allocate(struct bh_heap *heap, size_t count)
{
	uint32_t granules = (uint32_t)count;

	if (BH_LIKELY(count < heap->bins.exact_limit)) {
		uint64_t bins = heap->bins.bits->words[0] >> granules;

		if (bins & 1) {
			uint32_t block = bh_bin_first(&heap->bins, granules);

			if (BH_UNLIKELY(!bh_bin_unlink(&heap->bins, block, granules)))
				return 0;
			return bh_block_commit(heap, block, granules);
		}
		if (granules <= heap->control->victim_granules)
			return allocate_from_victim(heap, granules);
		return allocate_small_rest(heap, granules, bins);
	}
	return count <= heap->bins.span ? allocate_large(heap, granules) : 0;
}

/* ---- aligned ---- */

/* How far behind block the first aligned granule lies. */
static size_t aligned_skip(const struct bh_heap *heap, uint32_t block, size_t alignment)
{
	uintptr_t address = (uintptr_t)bh_heap_address(heap, block);

	return (size_t)(-address & (alignment - 1)) >> BH_GRANULE_SHIFT;
}

/* A free block that holds an aligned block, by a search of the whole heap; 0 if there is none. */
static uint32_t aligned_search(const struct bh_heap *heap, size_t alignment, size_t granules)
{
	for (uint32_t block = BH_FIRST; block < heap->end;) {
		uint32_t next = bh_map_next(&heap->map, block);

		if (!bh_map_is_used(&heap->map, block) &&
		    aligned_skip(heap, block, alignment) + granules <= next - block)
			return block;
		block = next;
	}
	return 0;
}

/* A free block in which alignment cannot fail, from the bins or the top; else searched for. */
static uint32_t aligned_candidate(struct bh_heap *heap, size_t alignment, size_t granules)
{
	size_t wanted = granules + (alignment >> BH_GRANULE_SHIFT) - 1;
	struct bh_control *control = heap->control;
	uint32_t bin, block = 0, size;

	if (wanted <= heap->bins.span) {
		bin = bh_bin_find(&heap->bins, bh_bin_of(&heap->bins, (uint32_t)wanted - 1) + 1);
		if (bin)
			block = bin < heap->bins.exact_limit
					? bh_bin_first(&heap->bins, bin)
					: bin_probe_larger(heap, bin, (uint32_t)wanted, &size);
		if (block || heap->bins.damaged)
			return block;
		if (control->victim_granules >= wanted)
			return control->victim;
	}
	if (heap->end - control->top >= aligned_skip(heap, control->top, alignment) + granules)
		return control->top;
	return heap->realtime ? 0 : aligned_search(heap, alignment, granules);
}

uint32_t bh_heap_allocate_aligned(struct bh_heap *heap, size_t alignment, size_t count)
{
	uint32_t granules = (uint32_t)count, whole, skip, size, block;

	if (count > heap->bins.span)
		return 0;
	whole = aligned_candidate(heap, alignment, granules);
	if (!whole || heap->bins.damaged)
		return 0;
	skip = (uint32_t)aligned_skip(heap, whole, alignment);
	size = bh_block_withdraw(heap, whole);
	if (!size)
		return 0;
	block = whole + skip;
	if (skip) {
		bh_map_set_start(&heap->map, block, whole, whole + size);
		bh_bin_link(&heap->bins, whole, skip);
	}
	if (size > skip + granules) {
		bh_map_set_start(&heap->map, block + granules, block, whole + size);
		bh_block_file(heap, block + granules, size - skip - granules);
	}
	return bh_block_commit(heap, block, granules);
}

/* ---- free ---- */

enum bh_status bh_heap_release(struct bh_heap *heap, uint32_t block)
{
	return bh_fast_release(heap, block, bh_block_free_before(heap, block)) ? BH_DONE : BH_DAMAGED;
}
