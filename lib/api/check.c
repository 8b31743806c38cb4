/* SPDX-License-Identifier: MIT */
/*
 * check.c - a heap held against every invariant, guards included.
 */
#include <errno.h>

#include "api/cached.h"
#include "core/verify.h"
#include "handle/fill.h"
#include "handle/head.h"
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

	if (!bh_block_front_is_intact(heap))
		return found(finding, BHEAP_FAULT_OVERFLOW, 0, BH_BLOCK_FRONT_WRITTEN);
	for (uint32_t block = BH_FIRST; block < core->end;) {
		uint32_t next = bh_map_next_untagged(&core->map, block, core->end);

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

/* What of a head stays as it is made; the rest others may be changing. */
static struct bh_shared head_read(const volatile struct bh_shared *shared)
{
	return (struct bh_shared){
		.magic = shared->magic,
		.version = shared->version,
		.word_size = shared->word_size,
		.granule_size = shared->granule_size,
		.head_size = shared->head_size,
		.flags = shared->flags,
		.size = shared->size,
		.key = shared->key,
		.pid_namespace = shared->pid_namespace,
	};
}

/* As an opening would: what that refuses is damage here. */
static bool head_check(const bheap_t *heap, struct bh_verify_finding *finding)
{
	const struct bh_shared head = head_read(heap->shared);
	uint32_t inside = __atomic_load_n(&heap->shared->inside, __ATOMIC_RELAXED);
	char reason[80];

	if (bh_head_is_ours(&head, reason, sizeof(reason)) && head.size == heap->region.size &&
	    head.key == heap->key && inside <= BH_AT_REST &&
	    head.flags == (heap->flags & BH_HEAD_FLAGS) &&
	    (heap->read_only || head.pid_namespace == bh_handle_pid_namespace()))
		return true;
	return found(finding, BHEAP_FAULT_BAD_FILE, 0, "its head was written over");
}

static bool heap_check(const bheap_t *heap, struct bh_verify_finding *finding)
{
	if (heap->shared && !head_check(heap, finding))
		return false;
	if (heap->read_only)
		return bh_verify_map_unlocked(&heap->core, finding) && rest_check(heap, finding);
	return bh_verify_map(&heap->core, finding) && bh_verify_derived(&heap->core, finding) &&
	       (!heap->trailers || guards_check(heap, finding));
}

static size_t block_size(const bheap_t *heap, uint32_t block)
{
	const struct bh_core *core = &heap->core;

	return bh_bytes(bh_map_next_untagged(&core->map, block, core->end) - block);
}

static void finding_describe(const bheap_t *heap, const struct bh_verify_finding *finding,
			     struct bheap_fault *fault)
{
	uint32_t block = finding->granule;
	size_t size = 0;

	if (finding->kind == BHEAP_FAULT_OVERFLOW && block)
		size = bh_handle_usable(heap, block,
					(uint32_t)bh_granules(block_size(heap, block)));
	else if (finding->kind == BHEAP_FAULT_WRITTEN_FREE)
		size = block_size(heap, block);
	bh_fault_describe(fault, finding->kind, heap,
			  block ? bh_core_address(&heap->core, block) : NULL, size, finding->detail,
			  finding->at);
}

/* What caches hold, and else every invariant. */
static bool call_check(struct bh_call *call, struct bh_verify_finding *finding)
{
	uint32_t block;

	if (!heap_check(call->heap, finding))
		return false;
	return bh_cached_verify(call, &block) ||
	       found(finding, BHEAP_FAULT_WRITTEN_FREE, block, "in a thread's cache");
}

static bool check_and_describe(struct bh_call *call, struct bheap_fault *fault)
{
	static const struct bh_verify_finding none = {BHEAP_FAULT_NONE, 0, NULL, NULL};
	struct bh_verify_finding finding = none;
	bool good = call_check(call, &finding);

	if (fault)
		finding_describe(call->heap, good ? &none : &finding, fault);
	return good;
}

/* For a heap whose lock cannot be had, since it, or what it protects, was written over. */
static int refuse(const bheap_t *heap, struct bheap_fault *fault, enum bheap_fault_kind kind,
		  const char *detail)
{
	const struct bh_verify_finding finding = {kind, 0, detail, NULL};

	if (fault)
		finding_describe(heap, &finding, fault);
	errno = EUCLEAN;
	return -1;
}

int bheap_check(const bheap_t *heap, struct bheap_fault *fault)
{
	struct bh_call call;
	bool good;

	if (heap && !bh_lock_is_sound(&heap->lock))
		return refuse(heap, fault, BHEAP_FAULT_BAD_FILE, "its lock was written over");
	if (!bh_enter_soon(&call, heap))
		return errno == EUCLEAN ? refuse(heap, fault, BHEAP_FAULT_DAMAGED_MAP,
						 "found after a death inside an operation")
					: -1;
	good = check_and_describe(&call, fault);
	bh_leave(&call);
	if (!good)
		errno = EUCLEAN;
	return good ? 0 : -1;
}
