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

/*
 * Frees the blocks of dead owners, except the block of the root, which belongs to the heap: from
 * *granule on, which then is the end, or where to go on once what was found is reported.
 */
static ssize_t dead_blocks_free(struct bh_call *call, uint32_t *granule)
{
	bheap_t *heap = call->heap;
	const struct bh_map *map = &heap->core.map;
	uint32_t root = bh_slot_block_at(heap, bh_core_offset(&heap->core, bh_root(heap)));
	struct owner last = {0};
	uint32_t block = bh_core_block_at(&heap->core, *granule), after;
	ssize_t count = 0;

	for (; block < heap->core.end && !bh_call_is_full(call); block = after) {
		struct bh_map_neighbour next = bh_map_next_start(map, block);

		/* A free next block is merged with this one when this one is freed. */
		after = next.used ? next.granule : bh_map_next(map, next.granule);
		if (bh_map_is_used(map, block) && block != root &&
		    owner_is_dead(&last, (pid_t)bh_trailer_owner(&heap->core, heap->key, block,
								 next.granule - block))) {
			bh_block_free_entered(call, block);
			count++;
		}
	}
	*granule = block;
	return count;
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
