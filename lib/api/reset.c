/* SPDX-License-Identifier: MIT */
/*
 * reset.c - all blocks freed at once. Keeps: those of a shared heap only where no other process can
 * hold one; guards and tools, which look at freed memory, are told of each block.
 */
#include <errno.h>

#include "api/blocks.h"
#include "api/cached.h"
#include "api/sweep.h"
#include "core/reset.h"
#include "handle/storage.h"

/* Of a private heap it is freed, of a shared one verified. */
static void block_visit(struct bh_call *call, uint32_t block, uint32_t granules, void *unused)
{
	(void)unused;
	if (call->heap->shared)
		bh_block_verify_trailer(call, block, granules);
	else
		bh_block_free_entered(call, block);
}

/*
 * With the open lock held: true if no process can hold a block, and none can attach until the lock
 * is released. A child of a fork shares the locks of this handle, so after one it cannot be told.
 */
static bool is_alone(bheap_t *heap)
{
	bool sole;

	if (bh_file_is_sole_opener(heap->region.fd, &sole))
		return false;
	if (sole && bh_storage_handle(heap)->fork_mark == bh_fork_mark())
		return true;
	errno = EBUSY;
	return false;
}

static bool reset_if_alone(bheap_t *heap)
{
	int fd = heap->region.fd, saved;
	bool alone;

	if (bh_file_lock_open(fd, true))
		return false;
	alone = is_alone(heap);
	if (alone)
		bh_reset(&heap->core);
	saved = errno;
	bh_file_lock_attach(fd); /* as before, while no other process can take it */
	bh_file_unlock_open(fd);
	errno = saved;
	return alone;
}

/* Of a shared heap; false with errno, and nothing done, where a process may hold a block. */
static bool shared_reset(bheap_t *heap)
{
	bool done;
	int state;

	if (!bh_file_is_own(heap->region.fd, &bh_storage_handle(heap)->file)) {
		errno = EBADF;
		return false;
	}
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	done = reset_if_alone(heap);
	pthread_setcancelstate(state, NULL);
	return done;
}

/* Of an entered heap, each of whose blocks was visited where guards or tools look at it. */
static bool heap_reset(bheap_t *heap)
{
	if (heap->shared)
		return shared_reset(heap);
	bh_reset(&heap->core);
	return true;
}

int bheap_reset(bheap_t *heap)
{
	uint32_t granule = BH_FIRST;
	struct bh_call call;
	bool done = true;

	do {
		if (!bh_cached_enter_to_change(&call, heap))
			return -1;
		if (heap->trailers || heap->annotated)
			bh_sweep(&call, &granule, block_visit, NULL);
		else
			granule = heap->core.end;
		if (granule == heap->core.end)
			done = heap_reset(heap);
		bh_leave(&call);
	} while (granule < heap->core.end);
	return done ? 0 : -1;
}
