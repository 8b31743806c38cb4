/* SPDX-License-Identifier: MIT */
/*
 * attach.c - heaps in files: created, verified, recovered, mapped and unmapped. Keeps: the magic is
 * the last store to a new heap; the first to attach after a death recovers the heap.
 */
#include "api/attach.h"

#include <errno.h>
#include <stdio.h>

#include "core/rebuild.h"
#include "core/verify.h"
#include "handle/enter.h"
#include "handle/intent.h"
#include "handle/recover.h"
#include "handle/rest.h"
#include "handle/storage.h"
#include "os/secret.h"

static bool refuse(struct bh_attach_opening *opening, int error, const char *why)
{
	opening->why = why;
	errno = error;
	return false;
}

static struct bh_shared *head_of(const struct bh_region *region)
{
	return (struct bh_shared *)(void *)region->start;
}

static size_t handle_size(void)
{
	return bh_round_up(sizeof(struct bh_storage_handle), bh_region_page());
}

/* ---- the handle ---- */

void bh_attach_undo(struct bh_attach_opening *opening)
{
	bheap_t *heap = opening->heap;
	int saved = errno;

	bh_region_unmap(&heap->region);
	bh_region_pages_free(heap, handle_size());
	opening->heap = NULL;
	errno = saved;
}

/* Maps the file and makes the handle that looks at it; on failure nothing is left. */
static bool handle_make(struct bh_attach_opening *opening, size_t size, unsigned heap_flags)
{
	struct bh_region region = {.fd = opening->fd};
	struct bh_layout layout;
	bheap_t *heap;

	/* Whole pages, of which the first alone has room for a heap. */
	bh_layout_for_size(&layout, size, sizeof(struct bh_shared));
	heap = bh_region_pages(handle_size());
	if (!heap)
		return false;
	if (bh_region_attach(&region, size, !opening->writable)) {
		int saved = errno;

		bh_region_pages_free(heap, handle_size());
		errno = saved;
		return false;
	}
	bh_core_view(&heap->core, region.start, &layout);
	heap->region = region;
	heap->shared = head_of(&region);
	heap->read_only = !opening->writable;
	if (opening->writable && bh_file_may_run_full(opening->fd))
		heap->core.prepare = bh_storage_take;
	opening->heap = heap;
	if (bh_handle_init(heap, heap_flags | (opening->flags & BH_FLAGS_OF_HANDLE),
			   opening->writable ? BH_LOCK_SHARED : BH_LOCK_NONE,
			   &heap->shared->mutex)) {
		bh_attach_undo(opening);
		return false;
	}
	if (bh_file_identify(opening->fd, &bh_storage_handle(heap)->file)) {
		bh_attach_undo(opening);
		return false;
	}
	bh_storage_handle(heap)->fork_mark = bh_fork_mark();
	heap->annotated = false; /* the tools cannot know of blocks that other processes made */
	return true;
}

/*
 * The last to detach takes the sum of the map. A handle that ended without that counts on, and one
 * that a fork doubled counts once: then no sum is taken, or one that the next call ends.
 */
static void detach_to_rest(bheap_t *heap)
{
	struct bh_call call;

	if (heap->read_only ||
	    (int32_t)__atomic_sub_fetch(&heap->shared->attached, 1, __ATOMIC_RELAXED) > 0)
		return;
	if (bh_enter_to_rest(&call, heap))
		bh_leave_at_rest(&call);
}

int bh_attach_detach(bheap_t *heap)
{
	const struct bh_file_id file = bh_storage_handle(heap)->file;
	struct bh_region region = heap->region;
	int failed, state;

	BH_ASSERT(heap->shared && !heap->permanent);
	detach_to_rest(heap);
	/* close() is a cancellation point; a thread that ended in it would leak the rest. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	bh_handle_end(heap);
	failed = bh_region_pages_free(heap, handle_size());
	failed |= bh_region_unmap(&region);
	failed |= bh_file_close_own(region.fd,
				    &file); /* whatever failed before: others would wait for us */
	pthread_setcancelstate(state, NULL);
	return failed ? -1 : 0;
}

/* ---- a new heap ---- */

static bool head_write(const struct bh_attach_opening *opening, size_t size)
{
	const struct bh_shared head = {
		.magic = BH_SHARED_CREATING,
		.version = BH_SHARED_VERSION,
		.word_size = sizeof(void *),
		.granule_size = BH_GRANULE,
		.head_size = sizeof(head),
		.flags = opening->flags & BH_HEAD_FLAGS,
		.size = size,
	};

	return bh_file_write(opening->fd, &head, sizeof(head));
}

static bool heap_format(struct bh_attach_opening *opening)
{
	bheap_t *heap = opening->heap;
	struct bh_shared *head = heap->shared;
	int error = bh_storage_of_new(heap) ? bh_lock_init_shared(&head->mutex) : errno;

	if (error) {
		bh_attach_undo(opening);
		errno = error;
		return false;
	}
	head->key = bh_secret_random(BH_SECRET_SEALS, (uintptr_t)head);
	heap->key = head->key;
	head->pid_namespace = bh_handle_pid_namespace();
	head->attached = 1;
	bh_lock_note_shared(&heap->lock);
	bh_core_format(&heap->core);
	bh_shared_store(&head->magic, BH_SHARED_MAGIC); /* the last store: now it is a heap */
	return true;
}

/* Creates a heap in an empty file, or in one whose creator died. */
static bool heap_make(struct bh_attach_opening *opening, uint64_t wanted)
{
	size_t size;
	int saved;

	if (!wanted || wanted > BHEAP_SIZE_MAX)
		return refuse(opening, EINVAL, NULL);
	size = bh_round_up((size_t)wanted, bh_region_page());
	if (bh_file_may_have_size(size) && bh_region_resize(opening->fd, 0, false) == 0 &&
	    head_write(opening, size) &&
	    bh_region_resize(opening->fd, size, opening->flags & BHEAP_PREALLOCATE) == 0 &&
	    handle_make(opening, size, opening->flags & BH_HEAD_FLAGS) && heap_format(opening))
		return true;
	saved = errno;
	bh_region_resize(opening->fd, 0, false);
	errno = saved;
	return false;
}

/* ---- a heap that is there ---- */

static bool head_verify(struct bh_attach_opening *opening, const struct bh_shared *head,
			uint64_t file_size)
{
	if (!bh_head_is_ours(head, opening->reason, sizeof(opening->reason)))
		return refuse(opening, EPROTO, opening->reason);
	if (head->inside > BH_AT_REST)
		return refuse(opening, EUCLEAN, "its head was written over");
	if (file_size < head->size)
		return refuse(opening, EUCLEAN, "it was truncated");
	if (file_size > head->size || head->size > bh_round_up(BHEAP_SIZE_MAX, bh_region_page()))
		return refuse(opening, EUCLEAN, "its length is not the one it was made with");
	if (head->size % bh_region_page())
		return refuse(opening, EPROTO, "its size is no multiple of the page size here");
	if ((opening->size && bh_round_up(opening->size, bh_region_page()) != head->size) ||
	    opening->flags & BH_HEAD_FLAGS & ~head->flags)
		return refuse(opening, EINVAL, NULL);
	if (opening->writable && !opening->sole && head->pid_namespace != bh_handle_pid_namespace())
		return refuse(opening, EBUSY, "those attached are of another process namespace");
	return true;
}

/*
 * True if the map can be taken for what it was when it was last used. Where no process died inside,
 * it was damaged at rest if it has not the sum of then or, without a sum, disagrees with the
 * counters.
 */
static bool map_is_as_left(struct bh_attach_opening *opening)
{
	const bheap_t *heap = opening->heap;
	struct bh_verify_finding finding;

	if (heap->shared->inside == BH_AT_REST && !bh_rest_is_sound(heap))
		return refuse(opening, EUCLEAN, "its block map is not the one it was closed with");
	if (heap->shared->inside == BH_OUTSIDE && !bh_verify_counters(&heap->core, &finding)) {
		snprintf(opening->reason, sizeof(opening->reason), "its block map: %s",
			 finding.detail);
		return refuse(opening, EUCLEAN, opening->reason);
	}
	return true;
}

/* Rebuilds, from a trusted map, what needs it. A death meanwhile counts as one inside. */
static void index_recover(struct bh_attach_opening *opening)
{
	bheap_t *heap = opening->heap;
	enum bh_shared_inside inside = heap->shared->inside;
	struct bh_verify_finding finding;

	if (inside == BH_INSIDE)
		opening->recovered = true;
	else
		opening->rebuilt = !bh_verify_derived(&heap->core, &finding);
	bh_intent_begin(heap);
	if (opening->recovered)
		bh_recover(heap);
	else if (opening->rebuilt)
		bh_rebuild(&heap->core);
	/* An intent without anyone inside too: a system that crashed may have left one. */
	bh_intent_end(heap, inside == BH_AT_REST ? BH_AT_REST : BH_OUTSIDE);
}

/* For the first to attach: recovers what the last users left, and reinitialises the mutex. */
static bool heap_recover(struct bh_attach_opening *opening)
{
	bheap_t *heap = opening->heap;
	int error;

	/* The recovery writes to the blocks. */
	if (!map_is_as_left(opening) || !bh_storage_of_blocks(heap))
		return false;
	error = bh_lock_init_shared(&heap->shared->mutex);
	if (error) {
		errno = error;
		return false;
	}
	heap->shared->pid_namespace = bh_handle_pid_namespace();
	heap->shared->attached = 0;
	index_recover(opening);
	/* Reported when the open lock is released. */
	heap->core.control->faults += opening->recovered || opening->rebuilt;
	return true;
}

static bool heap_attach(struct bh_attach_opening *opening, const struct bh_shared *head)
{
	struct bh_verify_finding finding;
	bheap_t *heap;

	if (!handle_make(opening, (size_t)head->size, head->flags))
		return false;
	heap = opening->heap;
	heap->key = head->key;
	if (opening->sole || !opening->writable) {
		/* With others at work the map is theirs to vouch for, and need not hold still. */
		if (!bh_verify_map_unlocked(&heap->core, &finding)) {
			bh_attach_undo(opening);
			return refuse(opening, EUCLEAN, finding.detail);
		}
	}
	if (opening->sole && !heap_recover(opening)) {
		bh_attach_undo(opening);
		return false;
	}
	if (opening->writable) {
		bh_lock_note_shared(&heap->lock);
		__atomic_add_fetch(&heap->shared->attached, 1, __ATOMIC_RELAXED);
	}
	return true;
}

/* ---- either ---- */

bool bh_attach(struct bh_attach_opening *opening, uint64_t file_size)
{
	struct bh_shared head = {0};
	ssize_t length = bh_file_read(opening->fd, &head, sizeof(head));

	BH_ASSERT(!opening->heap &&
		  !(opening->flags & ~(unsigned)(BH_HEAD_FLAGS | BH_FLAGS_OF_HANDLE)));
	BH_ASSERT(opening->writable || !opening->sole);
	if (length < 0)
		return false;
	if (opening->creates && opening->sole &&
	    (!file_size || (file_size >= sizeof(head.magic) && head.magic == BH_SHARED_CREATING)))
		return heap_make(opening, opening->size ? opening->size : head.size);
	/* An object that was only given its length. */
	if (opening->creates && opening->sole && !head.magic && bh_file_is_hole(opening->fd))
		return heap_make(opening, opening->size ? opening->size : file_size);
	if (!file_size)
		return refuse(opening, EPROTO, "it is empty");
	if (length < (ssize_t)sizeof(head) && head.magic != BH_SHARED_CREATING)
		return refuse(opening, EPROTO, "it is too short for a heap");
	return head_verify(opening, &head, file_size) && heap_attach(opening, &head);
}
