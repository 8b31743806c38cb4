/* SPDX-License-Identifier: MIT */
/*
 * verify.h - holds a heap's core against every invariant of its map and of what is derived from it.
 * Reads only, trusts nothing.
 */
#ifndef BH_VERIFY_H
#define BH_VERIFY_H

#include "core/core.h"

/* The first broken invariant; detail NULL when all hold. */
struct bh_finding {
	enum bheap_fault_kind kind;
	uint32_t granule; /* of the block concerned, or 0 */
	const char *detail;
	const void *at; /* the first byte concerned, or NULL */
};

/* The map alone: whether it is a tiling with its sentinels. */
bool bh_verify_map(const struct bh_core *core, struct bh_finding *finding);

/*
 * The same while others may be changing it: the two words of one place are not read as one, so what
 * looks broken is looked at again.
 */
bool bh_verify_map_unlocked(const struct bh_core *core, struct bh_finding *finding);

/* No free neighbours; tags, bins, top, victim and counters, given a good map. */
bool bh_verify_derived(const struct bh_core *core, struct bh_finding *finding);

#endif
