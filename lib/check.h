/* SPDX-License-Identifier: MIT */
/*
 * check.h - holds a heap against every invariant of HACKING.md. Reads only, trusts nothing.
 */
#ifndef BH_CHECK_H
#define BH_CHECK_H

#include "handle.h"

/* The first broken invariant; detail NULL when all hold. */
struct bh_finding {
	enum bheap_fault_kind kind;
	uint32_t granule;  /* of the block concerned, or 0 */
	const char *detail;
	const void *at;    /* the first byte concerned, or NULL */
};

/* The map alone: whether it is a tiling with its sentinels. */
bool bh_check_map(const struct bh_core *core, struct bh_finding *finding);

/*
 * The same while others may be changing it: the two words of one place are not read as one, so what
 * looks broken is looked at again.
 */
bool bh_check_map_unlocked(const struct bh_core *core, struct bh_finding *finding);

/* No free neighbours; tags, bins, top, victim and counters, given a good map. */
bool bh_check_derived(const struct bh_core *core, struct bh_finding *finding);

#endif
