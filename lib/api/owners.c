/* SPDX-License-Identifier: MIT */
/*
 * owners.c - blocks of processes that have died.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/blocks.h"
#include "api/root.h"
#include "api/slots.h"
#include "api/sweep.h"

/*
 * True for a process that has ended, reaped or not. One that cannot be asked about counts as alive.
 */
static bool process_is_dead(pid_t pid)
{
	struct pollfd ended = {.events = POLLIN};
	bool dead;

	ended.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ended.fd < 0)
		return kill(pid, 0) && errno == ESRCH;
	dead = poll(&ended, 1, 0) > 0;
	close(ended.fd);
	return dead;
}

/* The last owner asked about: blocks of one owner often lie together. */
struct owner {
	pid_t pid;
	bool dead;
};

static bool owner_is_dead(struct owner *last, pid_t pid)
{
	int saved = errno;

	if (pid && pid != last->pid)
		*last = (struct owner){pid, process_is_dead(pid)};
	errno = saved;
	return pid && last->dead;
}

struct reclaiming {
	uint32_t root; /* the block of the root, which belongs to the heap, or 0 */
	struct owner last;
	ssize_t count;
};

static void block_reclaim(struct bh_call *call, uint32_t block, uint32_t granules, void *arg)
{
	const bheap_t *heap = call->heap;
	struct reclaiming *reclaiming = arg;
	uint32_t owner = bh_trailer_owner(&heap->core, heap->key, block, granules);

	if (block == reclaiming->root || !owner_is_dead(&reclaiming->last, (pid_t)owner))
		return;
	bh_block_free_entered(call, block);
	reclaiming->count++;
}

/* The number of blocks that were freed from *granule on: as bh_sweep(). */
static ssize_t dead_blocks_free(struct bh_call *call, uint32_t *granule)
{
	const bheap_t *heap = call->heap;
	struct reclaiming reclaiming = {
		.root = bh_slot_block_at(call->heap, bh_core_offset(&heap->core, bh_root(heap))),
	};

	bh_sweep(call, granule, block_reclaim, &reclaiming);
	return reclaiming.count;
}

ssize_t bheap_reclaim(bheap_t *heap)
{
	uint32_t granule = BH_FIRST;
	struct bh_call call;
	ssize_t count = 0;
	int state;

	do {
		if (!bh_enter_to_change(&call, heap))
			return count ? count : -1;
		if (!(heap->flags & BHEAP_OWNED)) {
			bh_leave(&call);
			errno = ENOTSUP;
			return -1;
		}
		/*
		 * Asking about a process is a cancellation point; a thread must not end with the
		 * lock held.
		 */
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		count += dead_blocks_free(&call, &granule);
		pthread_setcancelstate(state, NULL);
		bh_leave(&call);
	} while (granule < heap->core.end);
	return count;
}
