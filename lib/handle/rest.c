/* SPDX-License-Identifier: MIT */
/*
 * rest.c - the sum is stored before the state that says it holds, which every call overwrites.
 */
#include "handle/rest.h"

#include "core/verify.h"

enum bh_shared_inside bh_rest_begin(const bheap_t *heap)
{
	uint64_t sum;
	bool sound;

	BH_ASSERT(heap->shared && !heap->read_only);
	sound = bh_verify_and_sum(&heap->core, &sum);
	bh_shared_store(&heap->shared->map_sum, sum);
	return sound ? BH_AT_REST : BH_OUTSIDE;
}

/* The whole map: what was damaged inside the top, too, has another sum. */
bool bh_rest_is_sound(const bheap_t *heap)
{
	struct bh_map_account account;

	bh_map_account(&heap->core.map, heap->core.end, (struct bh_map_gap){0, 0}, &account);
	return account.sum == heap->shared->map_sum;
}
