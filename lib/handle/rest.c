/* SPDX-License-Identifier: MIT */
/*
 * rest.c - the sum is stored before the state that says it holds, which every call overwrites.
 */
#include "handle/rest.h"

#include "core/verify.h"

static uint64_t map_sum(const bheap_t *heap)
{
	struct bh_map_account account;

	bh_map_account(&heap->core.map, heap->core.end, &account);
	return account.sum;
}

enum bh_shared_inside bh_rest_begin(const bheap_t *heap)
{
	struct bh_verify_finding finding;

	BH_ASSERT(heap->shared && !heap->read_only);
	bh_shared_store(&heap->shared->map_sum, map_sum(heap));
	return bh_verify_map(&heap->core, &finding) && bh_verify_counters(&heap->core, &finding)
		       ? BH_AT_REST
		       : BH_OUTSIDE;
}

bool bh_rest_is_sound(const bheap_t *heap)
{
	return map_sum(heap) == heap->shared->map_sum;
}
