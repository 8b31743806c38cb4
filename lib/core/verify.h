/* SPDX-License-Identifier: MIT */
/*
 * verify.h - holds a heap's core against every invariant of its map and of what is derived from it.
 * Reads only, trusts nothing.
 */
#ifndef BH_VERIFY_H
#define BH_VERIFY_H

#include "core/core.h"

/* The first broken invariant; detail NULL when all hold. */
struct bh_verify_finding {
	enum bheap_fault_kind kind;
	uint32_t granule; /* of the block concerned, or 0 */
	const char *detail;
	const void *at; /* the first byte concerned, or NULL */
};

/* Verifies the map alone: a tiling, with its sentinels. */
bool bh_verify_map(const struct bh_core *core, struct bh_verify_finding *finding);

/*
 * Verifies a map that others may be changing. Start and used bits are not read at one moment, so a
 * word that looks broken is read again.
 */
bool bh_verify_map_unlocked(const struct bh_core *core, struct bh_verify_finding *finding);

/*
 * Verifies what a sound map agrees with between two operations: the counters, and that no two free
 * blocks are neighbours. Needs no tags.
 */
bool bh_verify_counters(const struct bh_core *core, struct bh_verify_finding *finding);

/*
 * Verifies map and counters, and takes the sum of the map, as if the words inside the top were
 * sound: most of a large heap's map was never written, and is not read.
 */
bool bh_verify_and_sum(const struct bh_core *core, uint64_t *sum);

/*
 * Verifies all that is derived from a sound map: no two free neighbours, tags, bins, top, victim,
 * counters.
 */
bool bh_verify_derived(const struct bh_core *core, struct bh_verify_finding *finding);

#endif
