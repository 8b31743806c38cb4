/* SPDX-License-Identifier: MIT */
/*
 * recover.c - the pending operation is rolled back, a reset done again; the index rebuilt, trailers
 * rewritten.
 */
#include "handle/recover.h"

#include "core/rebuild.h"
#include "core/reset.h"
#include "handle/fill.h"
#include "handle/intent.h"
#include "handle/pages.h"

/*
 * For the copy that a fork made of a private heap while another thread was in a call. The block
 * that thread had not sealed yet is unknown, so every broken seal is rewritten. (The parent keeps
 * its own.)
 */
static void trailers_rewrite(const bheap_t *heap)
{
	const struct bh_core *core = &heap->core;

	for (uint32_t block = BH_FIRST, next; block < core->end; block = next) {
		uint32_t granules;

		next = bh_map_next(&core->map, block);
		granules = next - block;
		if (bh_map_is_used(&core->map, block) && granules > BH_TRAILER_GRANULES &&
		    !bh_trailer_is_intact(core, heap->key, block, granules))
			bh_trailer_write(core, heap->key, block, granules,
					 bh_bytes(granules - BH_TRAILER_GRANULES), 0);
	}
}

void bh_recover(bheap_t *heap)
{
	if (heap->core.control->root == BH_ROOT_RESET)
		bh_reset(&heap->core);
	else if (heap->shared)
		bh_intent_roll_back(heap);
	bh_pages_open_all(heap);
	bh_rebuild(&heap->core);
	if (heap->shared)
		bh_intent_rewrite_trailer(heap);
	else if (heap->trailers)
		trailers_rewrite(heap);
	/* A granule that is a node now may have been filled, and vice versa. */
	bh_fill_forget(heap, BH_FIRST, heap->core.end);
	heap->core.control->recoveries++;
}
