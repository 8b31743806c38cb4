/* SPDX-License-Identifier: MIT */
/*
 * budget.h - how much of a heap may be in use, and what was refused. In the head of a shared
 * region, where it is part of the format of heap files; of a private heap in its handle.
 */
#ifndef BH_BUDGET_H
#define BH_BUDGET_H

#include <stdint.h>

/* All zero in a new heap, and in heap files made before there were limits. */
struct bh_budget {
	uint64_t limit; /* bytes that may be in use, or 0: all */
};
_Static_assert(sizeof(struct bh_budget) == 8, "format of heap files, alike on every machine");

/* In granules, which UINT32_MAX stands for where there are more. */
struct bh_budget_refused {
	uint32_t largest; /* request that was refused */
	uint32_t last;
	uint32_t used; /* when the last one was */
};
_Static_assert(sizeof(struct bh_budget_refused) == 12,
	       "format of heap files, alike on every machine");

#endif
