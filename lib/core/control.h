/* SPDX-License-Identifier: MIT */
/*
 * control.h - a heap's record of itself, before its blocks: what is derived from the map, the
 * statistics, and the root. Part of the format of heap files: its fields keep their places.
 */
#ifndef BH_CONTROL_H
#define BH_CONTROL_H

#include "core/bins.h"

#define BH_FIRST 1 /* the first user granule; before it lies only the sentinel */

/* Derived state, all of it rebuildable from the map but for the root and what happened so far. */
struct bh_control {
	uint32_t top;    /* the last free block, or the end: kept out of the bins */
	uint32_t victim; /* the rest of the latest small split, or 0: kept out of the bins */
	uint32_t victim_granules;
	uint32_t used; /* granules in allocated blocks */
	uint32_t peak;
	volatile uint32_t
		pending; /* the block of the allocation under way; in order with map stores */
	uint64_t root;   /* where the user's data starts: an offset from granule 0, or 0 */
	uint64_t allocations;
	uint64_t frees;
	uint64_t failures;
	uint64_t faults;
	uint64_t rebuilds;
	uint64_t recoveries;
	struct bh_bin_bits bits; /* last, and cut to the words that the bins need */
};

#endif
