/* SPDX-License-Identifier: MIT */
/*
 * verify.c - first the map, word by word; then all that is derived from it. A stray write may come
 * meanwhile: no index leads out of the heap that was not looked at since it was read, and every
 * list is followed for no longer than there are free blocks.
 */
#include "core/verify.h"

/* A word that other processes are changing is never found broken this often in a row. */
#define LOOKS 1000

static bool found(struct bh_verify_finding *finding, enum bheap_fault_kind kind, uint32_t granule,
		  const char *detail)
{
	*finding = (struct bh_verify_finding){kind, granule, detail, NULL};
	return false;
}

/* ---- the map ---- */

/* The bits of a word of the map that may be set: those of granules first - 1 ... end. */
static uint64_t word_mask(const struct bh_core *core, size_t word)
{
	uint32_t low = BH_FIRST - 1, high = core->end;
	uint64_t mask = ~UINT64_C(0);

	if (word == low >> 6)
		mask &= ~UINT64_C(0) << (low & 63);
	if (word == high >> 6)
		mask &= ~UINT64_C(0) >> (63 - (high & 63));
	return mask;
}

static bool sentinels_check(const struct bh_core *core, struct bh_verify_finding *finding)
{
	const struct bh_map *map = &core->map;
	uint32_t before = BH_FIRST - 1;
	const struct bh_map_word *low = map->words - 1,
				 *high = map->words + bh_map_words(core->end);

	if (!bh_map_is_start(map, before) || !bh_map_is_used(map, before) ||
	    !bh_map_is_start(map, core->end) || !bh_map_is_used(map, core->end))
		return found(finding, BHEAP_FAULT_DAMAGED_MAP, 0, "a sentinel is missing");
	if (!bh_map_is_start(map, BH_FIRST))
		return found(finding, BHEAP_FAULT_DAMAGED_MAP, 0, "no block starts at the front");
	if (low->start || low->used || high->start || high->used)
		return found(finding, BHEAP_FAULT_DAMAGED_MAP, 0, "bits outside the heap");
	return true;
}

static bool word_check(const struct bh_core *core, size_t word, struct bh_verify_finding *finding)
{
	uint64_t starts = __atomic_load_n(&core->map.words[word].start, __ATOMIC_RELAXED);
	uint64_t used = __atomic_load_n(&core->map.words[word].used, __ATOMIC_RELAXED);

	/*
	 * A word inside a block may hold anything here: tags are derived, and verified with them.
	 */
	if (!starts)
		return true;
	if ((starts | used) & ~word_mask(core, word))
		return found(finding, BHEAP_FAULT_DAMAGED_MAP, 0, "bits outside the heap");
	if (used & ~starts)
		return found(finding, BHEAP_FAULT_DAMAGED_MAP,
			     (uint32_t)(word << 6) | bh_lowest_bit(used & ~starts),
			     "used where no block starts");
	return true;
}

static const struct bh_map_gap no_gap;

/* Reads a word that looks broken again, `looks` times at most. */
static bool map_check(const struct bh_core *core, unsigned looks, struct bh_map_gap gap,
		      struct bh_verify_finding *finding)
{
	size_t words = bh_map_words(core->end);

	if (!sentinels_check(core, finding))
		return false;
	for (size_t word = 0; word < words; word = bh_map_gap_next(gap, word)) {
		unsigned left = looks;

		while (!word_check(core, word, finding))
			if (!--left)
				return false;
	}
	return true;
}

bool bh_verify_map(const struct bh_core *core, struct bh_verify_finding *finding)
{
	return map_check(core, 1, no_gap, finding);
}

bool bh_verify_map_unlocked(const struct bh_core *core, struct bh_verify_finding *finding)
{
	return map_check(core, LOOKS, no_gap, finding);
}

/* ---- what is derived from it ---- */

static bool tag_is_right(const struct bh_map_word *word, size_t begin, size_t end)
{
	return bh_map_tag_begin(word) == begin && bh_map_tag_end(word) == end;
}

static bool tags_check(const struct bh_core *core, struct bh_verify_finding *finding)
{
	const struct bh_map_word *words = core->map.words;
	size_t count = bh_map_words(core->end), last = 0;
	uint64_t starts = words[0].start | bh_map_bit(BH_FIRST);

	for (size_t word = 1; word < count; word++) {
		uint64_t next = __atomic_load_n(&words[word].start, __ATOMIC_RELAXED);

		if (!next)
			continue;
		if (word - last > 1 && (!tag_is_right(&words[last + 1], last, word) ||
					!tag_is_right(&words[word - 1], last, word)))
			return found(finding, BHEAP_FAULT_DAMAGED_INDEX,
				     (uint32_t)(last << 6) | bh_highest_bit(starts),
				     "a boundary tag differs from the map");
		last = word;
		starts = next;
	}
	return true;
}

struct census {
	uint64_t live;
	uint32_t used;   /* granules */
	uint32_t binned; /* free blocks that belong in a bin */
	uint32_t last;   /* the last free block if it ends at the end, else the end */
	uint32_t victim_granules;
	uint32_t unmerged; /* a free block behind another, or 0 */
};

static void census_take(const struct bh_core *core, struct census *census)
{
	bool free_before = false;

	*census = (struct census){.last = core->end};
	for (uint32_t block = BH_FIRST; block < core->end;) {
		uint32_t next = bh_map_next_untagged(&core->map, block, core->end);
		bool used = bh_map_is_used(&core->map, block);

		if (!used && free_before)
			census->unmerged = block;
		if (used) {
			census->live++;
			census->used += next - block;
		} else if (next == core->end) {
			census->last = block;
		} else if (block == core->control->victim) {
			census->victim_granules = next - block;
		} else {
			census->binned++;
		}
		free_before = !used;
		block = next;
	}
}

static bool counters_check(const struct bh_control *control, uint32_t unmerged, uint32_t used,
			   uint64_t live, struct bh_verify_finding *finding)
{
	if (unmerged)
		return found(finding, BHEAP_FAULT_DAMAGED_MAP, unmerged,
			     "two free blocks are neighbours");
	if (control->used != used)
		return found(finding, BHEAP_FAULT_COUNT, 0, "the bytes in use are miscounted");
	if (control->allocations - control->frees != live)
		return found(finding, BHEAP_FAULT_COUNT, 0, "the live blocks are miscounted");
	return true;
}

bool bh_verify_counters(const struct bh_core *core, struct bh_verify_finding *finding)
{
	struct bh_map_account account;

	bh_map_account(&core->map, core->end, no_gap, &account);
	return counters_check(core->control, account.unmerged, account.used, account.live, finding);
}

/* The words inside the top. */
static struct bh_map_gap top_gap(const struct bh_core *core)
{
	uint32_t top = core->control->top;
	struct bh_map_gap gap = {(top >> 6) + 1, core->end >> 6};

	return top - BH_FIRST < core->bins.span && gap.first < gap.last &&
			       bh_map_is_free(&core->map, top)
		       ? gap
		       : no_gap;
}

bool bh_verify_and_sum(const struct bh_core *core, uint64_t *sum)
{
	struct bh_map_gap gap = top_gap(core);
	struct bh_verify_finding finding;
	struct bh_map_account account;

	bh_map_account(&core->map, core->end, gap, &account);
	*sum = account.sum;
	return map_check(core, 1, gap, &finding) &&
	       counters_check(core->control, account.unmerged, account.used, account.live,
			      &finding);
}

static bool control_check(const struct bh_core *core, const struct census *census,
			  struct bh_verify_finding *finding)
{
	const struct bh_control *control = core->control;

	if (!counters_check(control, census->unmerged, census->used, census->live, finding))
		return false;
	if (control->top != census->last)
		return found(finding, BHEAP_FAULT_DAMAGED_INDEX, census->last,
			     "the top is not the last free block");
	if (control->victim_granules != census->victim_granules ||
	    !control->victim != !control->victim_granules)
		return found(finding, BHEAP_FAULT_DAMAGED_INDEX, 0,
			     "the victim is no block of its size");
	if (control->peak < census->used)
		return found(finding, BHEAP_FAULT_COUNT, 0, "the bytes in use are miscounted");
	return true;
}

/* True if a link leads to a free block that a bin may hold. */
static bool link_is_block(const struct bh_core *core, uint32_t link)
{
	return link - BH_FIRST < core->bins.span && bh_map_is_start(&core->map, link) &&
	       !bh_map_is_used(&core->map, link) && link != core->control->top &&
	       link != core->control->victim;
}

BH_UNCHECKED
static bool node_is_right(const struct bh_core *core, uint32_t bin, uint32_t block,
			  uint32_t previous)
{
	const struct bh_bin_node *node = bh_bin_node(&core->bins, block);
	uint32_t granules = bh_map_next_untagged(&core->map, block, core->end) - block;

	if (granules >= core->bins.exact_limit &&
	    (node->granules != granules || node->check != ~granules))
		return false;
	return node->links.previous == previous && bh_bin_of(&core->bins, granules) == bin;
}

/* Follows one list, taking each block off those that are left to be found. */
BH_UNCHECKED
static bool bin_check(const struct bh_core *core, uint32_t bin, uint32_t *left,
		      struct bh_verify_finding *finding)
{
	uint32_t previous = 0, block = bh_bin_first(&core->bins, bin);

	for (; block; previous = block, block = bh_bin_node(&core->bins, block)->links.next) {
		if (!*left || !link_is_block(core, block) ||
		    !node_is_right(core, bin, block, previous))
			return found(finding, BHEAP_FAULT_DAMAGED_INDEX, previous,
				     "a bin has no free block of its size");
		--*left;
	}
	return true;
}

static bool bin_bit_check(const struct bh_core *core, uint32_t bin,
			  struct bh_verify_finding *finding)
{
	const struct bh_bin_bits *bits = core->bins.bits;
	bool marked = bits->words[bin >> 6] >> (bin & 63) & 1;
	bool summed = bits->summary >> (bin >> 6) & 1;

	if (marked != (bh_bin_first(&core->bins, bin) != 0) ||
	    (marked && bin >= core->bins.exact_limit && !summed))
		return found(finding, BHEAP_FAULT_DAMAGED_INDEX, 0,
			     "the bin bits disagree with the bins");
	return true;
}

/* A bit of a bin that there is not would lead an allocation out of the heads. */
static bool bits_behind_check(const struct bh_core *core, struct bh_verify_finding *finding)
{
	const struct bh_bin_bits *bits = core->bins.bits;
	uint32_t last = core->bins.count - 1;

	if (bits->words[0] & 1 || bits->summary >> (last >> 6) >> 1 ||
	    bits->words[last >> 6] >> (last & 63) >> 1)
		return found(finding, BHEAP_FAULT_DAMAGED_INDEX, 0,
			     "the bin bits disagree with the bins");
	return true;
}

static bool bins_check(const struct bh_core *core, uint32_t binned,
		       struct bh_verify_finding *finding)
{
	/* The head of bin 0 stands in for what is not there: bins.h. */
	for (uint32_t bin = 1; bin < core->bins.count; bin++)
		if (!bin_check(core, bin, &binned, finding) || !bin_bit_check(core, bin, finding))
			return false;
	if (binned)
		return found(finding, BHEAP_FAULT_DAMAGED_INDEX, 0, "a free block is in no bin");
	return bits_behind_check(core, finding);
}

bool bh_verify_derived(const struct bh_core *core, struct bh_verify_finding *finding)
{
	struct census census;

	if (!tags_check(core, finding))
		return false;
	census_take(core, &census);
	return control_check(core, &census, finding) && bins_check(core, census.binned, finding);
}
