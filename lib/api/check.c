/* SPDX-License-Identifier: MIT */
/*
 * check.c - a heap held against every invariant, guards included.
 */
#include <errno.h>

#include "core/verify.h"
#include "handle/enter.h"
#include "handle/fill.h"
#include "handle/rest.h"

static bool found(struct bh_verify_finding *finding, enum bheap_fault_kind kind, uint32_t granule,
		  const char *detail)
{
	*finding = (struct bh_verify_finding){kind, granule, detail, NULL};
	return false;
}

/* ---- what guards see ---- */

static bool fill_check(const bheap_t *heap, uint32_t block, uint32_t next,
		       struct bh_verify_finding *finding)
{
	const void *at = bh_fill_written(heap, block, next);

	if (!at)
		return true;
	*finding = (struct bh_verify_finding){BHEAP_FAULT_WRITTEN_FREE, block, NULL, at};
	return false;
}

static bool guards_check(const bheap_t *heap, struct bh_verify_finding *finding)
{
	const struct bh_core *core = &heap->core;

	for (uint32_t block = BH_FIRST; block < core->end;) {
		uint32_t next = bh_map_next(&core->map, block);

		if (!bh_map_is_used(&core->map, block)) {
			if (!fill_check(heap, block, next, finding))
				return false;
		} else if (!bh_trailer_is_intact(core, heap->key, block, next - block)) {
			return found(finding, BHEAP_FAULT_OVERFLOW, block, NULL);
		}
		block = next;
	}
	return true;
}

/* A reader has no lock: a sum that is wrong counts if the heap was at rest before and after. */
static bool rest_check(const bheap_t *heap, struct bh_verify_finding *finding)
{
	const uint32_t *inside = &heap->shared->inside;

	if (__atomic_load_n(inside, __ATOMIC_ACQUIRE) != BH_AT_REST || bh_rest_is_sound(heap) ||
	    __atomic_load_n(inside, __ATOMIC_ACQUIRE) != BH_AT_REST)
		return true;
	return found(finding, BHEAP_FAULT_DAMAGED_MAP, 0, "it is not the one that was closed");
}

static bool heap_check(const bheap_t *heap, struct bh_verify_finding *finding)
{
	if (heap->read_only)
		return bh_verify_map_unlocked(&heap->core, finding) && rest_check(heap, finding);
	return bh_verify_map(&heap->core, finding) && bh_verify_derived(&heap->core, finding) &&
	       (!heap->trailers || guards_check(heap, finding));
}

static void finding_describe(const bheap_t *heap, const struct bh_verify_finding *finding,
			     bool good, struct bheap_fault *fault)
{
	enum bheap_fault_kind kind = good ? BHEAP_FAULT_NONE : finding->kind;
	uint32_t block = good ? 0 : finding->granule;
	size_t size = 0;

	if (kind == BHEAP_FAULT_OVERFLOW)
		size = bh_handle_usable(heap, block, bh_core_granules(&heap->core, block));
	else if (kind == BHEAP_FAULT_WRITTEN_FREE)
		size = bh_bytes(bh_core_granules(&heap->core, block));
	bh_fault_describe(fault, kind, heap, block ? bh_core_address(&heap->core, block) : NULL,
			  size, good ? NULL : finding->detail, good ? NULL : finding->at);
}

int bheap_check(const bheap_t *heap, struct bheap_fault *fault)
{
	struct bh_verify_finding finding = {0};
	struct bh_call call;
	bool good;

	if (!bh_enter(&call, heap))
		return -1;
	good = heap_check(heap, &finding);
	if (fault)
		finding_describe(heap, &finding, good, fault);
	bh_leave(&call);
	if (!good)
		errno = EUCLEAN;
	return good ? 0 : -1;
}
