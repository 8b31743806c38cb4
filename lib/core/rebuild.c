/* SPDX-License-Identifier: MIT */
/*
 * rebuild.c - makes tags, bins, top, victim and counters from the map. Keeps every
 * allocated block of the map as it is, whatever the rest of the bookkeeping says.
 */
#include "core/rebuild.h"

#include "core/index.h"
#include "core/probe.h"

/* Stores only a new value: most pages of a large map were never written. */
static void word_update(uint64_t *word, uint64_t value)
{
	if (*word != value)
		bh_map_store(word, value);
}

/*
 * Merges the free blocks of a word with free ones before them, and clears used bits without a
 * start.
 */
static void word_merge(struct bh_map_word *word, bool *free_before)
{
	uint64_t starts = word->start, used = word->used & starts;

	word_update(&word->used, used);
	for (uint64_t left = starts; left; left &= left - 1) {
		uint64_t bit = left & -left;
		bool is_free = !(used & bit);

		if (is_free && *free_before)
			starts &= ~bit;
		*free_before = is_free;
	}
	word_update(&word->start, starts);
}

/* Merges adjacent free blocks and writes all tags. */
static void map_rebuild(struct bh_core *core)
{
	struct bh_map_word *words = core->map.words;
	uint32_t count = (uint32_t)bh_map_words(core->end), last = 0;
	bool free_before = false;

	for (uint32_t index = 0; index < count; index++) {
		if (words[index].start)
			word_merge(&words[index], &free_before);
		if (words[index].start) {
			bh_map_tag(&core->map, last, index << 6);
			last = index << 6;
		}
	}
}

/* Keeps the counters of past events; makes those of live blocks true. */
static void counters_rebuild(struct bh_control *control, uint32_t used, uint64_t live)
{
	control->used = used;
	if (control->peak < used)
		control->peak = used;
	if (control->allocations < live)
		control->allocations = live;
	control->frees = control->allocations - live;
}

void bh_rebuild(struct bh_core *core)
{
	struct bh_control *control = core->control;
	uint64_t live = 0;
	uint32_t used = 0;

	bh_core_set_sentinels(core);
	map_rebuild(core);
	bh_bins_clear(&core->bins);
	core->bins.damaged = 0;
	control->top = core->end;
	control->victim = 0;
	control->victim_granules = 0;
	for (uint32_t block = BH_FIRST; block < core->end;) {
		uint32_t next = bh_map_next(&core->map, block);

		if (bh_map_is_used(&core->map, block)) {
			used += next - block;
			live++;
		} else {
			bh_index_insert(core, block, next - block);
		}
		block = next;
	}
	counters_rebuild(control, used, live);
	control->rebuilds++;
	bh_probe_rebuild(core);
}
