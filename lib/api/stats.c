/* SPDX-License-Identifier: MIT */
/*
 * stats.c - the statistics of a heap: of its blocks now, from a walk, and of past events, from the
 * counters. Reads only.
 */
#include "api/cached.h"
#include "api/walk.h"

#include <errno.h>

static int block_count(const struct bheap_block *block, void *arg)
{
	struct bheap_stats *stats = arg;

	if (block->used) {
		stats->used += block->size;
		stats->live_blocks++;
		return 0;
	}
	stats->free += block->size;
	stats->free_blocks++;
	if (stats->largest_free < block->size)
		stats->largest_free = block->size;
	return 0;
}

static void refusals_copy(struct bheap_stats *stats, const struct bh_budget_refused *refusals)
{
	stats->largest_refused = (uint64_t)BH_GRANULE * (refusals->largest);
	stats->last_refused = (uint64_t)BH_GRANULE * (refusals->last);
	stats->used_at_refusal = (uint64_t)BH_GRANULE * (refusals->used);
}

static void counters_copy(struct bheap_stats *stats, const struct bh_control *control)
{
	stats->peak_used = bh_bytes(control->peak);
	stats->allocations = control->allocations;
	stats->frees = control->frees;
	stats->failures = control->failures;
	stats->faults = control->faults;
	stats->rebuilds = control->rebuilds;
	stats->recoveries = control->recoveries;
}

int bheap_stats(const bheap_t *heap, struct bheap_stats *stats)
{
	struct bh_call call;

	if (!stats) {
		errno = EINVAL;
		return -1;
	}
	if (!bh_cached_enter(&call, heap))
		return -1;
	*stats = (struct bheap_stats){.size = bh_handle_size(heap), .limit = bh_handle_limit(heap)};
	bh_walk_blocks(heap, block_count, stats);
	counters_copy(stats, heap->core.control);
	refusals_copy(stats, bh_handle_refusals(heap));
	bh_leave(&call);
	if (stats->free)
		stats->fragmentation = 1.0 - (double)stats->largest_free / (double)stats->free;
	return 0;
}

size_t bheap_used(const bheap_t *heap)
{
	struct bh_call call;
	size_t cached, used;

	if (!bh_enter(&call, heap))
		return 0;
	cached = bh_cached_count_closed(&call).granules;
	used = bh_bytes(heap->core.control->used - cached);
	bh_leave(&call);
	return used;
}
