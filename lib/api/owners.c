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

/* A process that has ended, reaped or not. One that cannot be asked about is taken to live. */
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

/* What was last asked about: blocks of one owner often lie together. */
struct owner {
	pid_t pid;
	bool dead;
};

static bool owner_is_dead(struct owner *last, pid_t pid)
{
	if (pid && pid != last->pid)
		*last = (struct owner){pid, process_is_dead(pid)};
	return pid && last->dead;
}

/* All but the block of the root: that is the heap's own. */
static ssize_t dead_blocks_free(struct bh_call *call)
{
	bheap_t *heap = call->heap;
	const struct bh_map *map = &heap->core.map;
	uint32_t root = bh_slot_block_at(heap, bh_core_offset(&heap->core, bh_root(heap)));
	struct owner last = {0};
	ssize_t count = 0;

	for (uint32_t block = BH_FIRST, after; block < heap->core.end; block = after) {
		struct bh_map_neighbour next = bh_map_next_start(map, block);

		/* A free block behind is part of this one when this one was given back. */
		after = next.used ? next.granule : bh_map_next(map, next.granule);
		if (bh_map_is_used(map, block) && block != root &&
		    owner_is_dead(&last, (pid_t)bh_trailer_owner(&heap->core, heap->key, block,
								 next.granule - block)))
			count += bh_block_free_entered(call, block);
	}
	return count;
}

ssize_t bheap_reclaim(bheap_t *heap)
{
	struct bh_call call;
	ssize_t count = -1;
	int state;

	if (!bh_enter_to_change(&call, heap))
		return -1;
	if (heap->flags & BHEAP_OWNED) {
		/*
		 * Asking about a process is a cancellation point, and nobody ends with the lock
		 * held.
		 */
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		count = dead_blocks_free(&call);
		pthread_setcancelstate(state, NULL);
	}
	bh_leave(&call);
	if (count < 0)
		errno = ENOTSUP;
	return count;
}
