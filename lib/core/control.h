/* SPDX-License-Identifier: MIT */
/*
 * control.h - a heap's record of itself, before its blocks: what is derived from the map, the
 * statistics, and the root. Part of the format of heap files: its fields keep their places.
 */
#ifndef BH_CONTROL_H
#define BH_CONTROL_H

#include "core/bins.h"

#define BH_FIRST 1 /* the first user granule; before it lies only the sentinel */

/* control->root, which leads nowhere then: all blocks are being freed (reset.h). */
#define BH_ROOT_RESET UINT64_C(0xa11b10c55e7f4ee1)

/* Derived state, all of it rebuildable from the map but for the root and what happened so far. */
struct bh_control {
	uint32_t top;    /* the last free block, or the end: kept out of the bins */
	uint32_t victim; /* the rest of the latest small split, or 0: kept out of the bins */
	uint32_t victim_granules;
	uint32_t used; /* granules in allocated blocks */
	uint32_t peak;
	volatile uint32_t pending; /* the block being allocated; in order with map stores */
	uint64_t root; /* where the user's data starts: an offset from granule 0, 0, or above */
	uint64_t allocations;
	uint64_t frees;
	uint64_t failures;
	uint64_t faults;
	uint64_t rebuilds;
	uint64_t recoveries;
	struct bh_bin_bits bits; /* last, and cut to the words that the bins need */
};

/* Where uint64_t is aligned to 4 bytes the fields have the same offsets. */
#define BH_CONTROL_AT(field, offset)                                                               \
	_Static_assert(offsetof(struct bh_control, field) == (offset), "format of heap files")
BH_CONTROL_AT(top, 0);
BH_CONTROL_AT(victim, 4);
BH_CONTROL_AT(victim_granules, 8);
BH_CONTROL_AT(used, 12);
BH_CONTROL_AT(peak, 16);
BH_CONTROL_AT(pending, 20);
BH_CONTROL_AT(root, 24);
BH_CONTROL_AT(allocations, 32);
BH_CONTROL_AT(frees, 40);
BH_CONTROL_AT(failures, 48);
BH_CONTROL_AT(faults, 56);
BH_CONTROL_AT(rebuilds, 64);
BH_CONTROL_AT(recoveries, 72);
BH_CONTROL_AT(bits, 80);

#endif
