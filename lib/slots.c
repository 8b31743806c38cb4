/* SPDX-License-Identifier: MIT */
/*
 * slots.c - references that every process understands, the root, allocation into a slot, and what
 * dead processes left. Works on every heap; it is shared ones that need it.
 */
#include "api.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared.h"

uint64_t bheap_offset(const bheap_t *heap, const void *ptr)
{
	return heap && ptr ? bh_core_offset(&heap->core, ptr) : 0;
}

void *bheap_pointer(const bheap_t *heap, uint64_t offset)
{
	return heap ? bh_core_pointer(&heap->core, offset) : NULL;
}

int bheap_set_root(bheap_t *heap, const void *ptr)
{
	struct bh_call call;
	uint64_t offset = 0;

	if (!bh_enter_to_change(&call, heap))
		return -1;
	if (ptr)
		offset = bh_core_offset(&heap->core, ptr);
	if (offset || !ptr)
		bh_shared_store(&heap->core.control->root, offset);
	bh_leave(&call);
	if (!offset && ptr) {
		errno = EINVAL;
		return -1;
	}
	return 0;
}

static void *root_pointer(const bheap_t *heap)
{
	return bh_core_pointer(&heap->core,
			       __atomic_load_n(&heap->core.control->root, __ATOMIC_ACQUIRE));
}

void *bheap_root(const bheap_t *heap)
{
	if (heap)
		return root_pointer(heap);
	errno = EINVAL;
	return NULL;
}

/* ---- slots ---- */

/* Whether a granule lies in the block where the last slot did: a table may have many. */
static bool is_beside_last(const bheap_t *heap, uint32_t granule)
{
	return bh_map_is_live(&heap->core.map, heap->table) && heap->table <= granule &&
	       granule < bh_map_next(&heap->core.map, heap->table);
}

/* The live block that an offset lies in, or 0. */
static uint32_t block_around(bheap_t *heap, uint64_t offset)
{
	uint32_t granule = (uint32_t)(offset >> BH_GRANULE_SHIFT);

	if (!offset)
		return 0;
	if (!is_beside_last(heap, granule))
		heap->table = bh_core_block_at(&heap->core, granule);
	return bh_map_is_used(&heap->core.map, heap->table) ? heap->table : 0;
}

/* A word that lies whole in the user's bytes of one live block; its offset, else 0. */
static uint64_t slot_offset(bheap_t *heap, const uint64_t *slot)
{
	uint64_t offset = bh_core_offset(&heap->core, slot);
	uint32_t block = block_around(heap, offset), granules;

	if (!block || offset % sizeof(*slot))
		return 0;
	granules = bh_core_granules(&heap->core, block);
	return offset + sizeof(*slot) <= bh_bytes(block) + bh_handle_usable(heap, block, granules) ? offset
											     : 0;
}

/* Which word will hold, or holds, the block of this operation: known before the block is. */
static void slot_intend(const bheap_t *heap, uint64_t offset)
{
	if (heap->shared)
		bh_shared_store(&heap->shared->slot, offset);
}

void *bheap_alloc_into(bheap_t *heap, uint64_t *slot, size_t size)
{
	struct bh_call call;
	uint64_t offset;
	uint32_t block = 0;

	if (!bh_enter_to_change(&call, heap))
		return NULL;
	offset = slot_offset(heap, slot);
	if (offset) {
		slot_intend(heap, offset);
		block = bh_block_alloc_entered(&call, BH_GRANULE, size);
		if (block)
			bh_shared_store(slot, bh_bytes(block));
	}
	bh_leave(&call);
	if (!block)
		errno = offset ? ENOMEM : EINVAL;
	return block ? bh_core_address(&heap->core, block) : NULL;
}

/* Once the slot is 0 the block is pending: nobody's, should this process die now. 0, or an errno. */
static int slot_free(struct bh_call *call, uint64_t *slot, uint64_t offset)
{
	const struct bh_core *core = &call->heap->core;
	const void *ptr = bh_core_pointer(core, *slot);
	uint32_t block = bh_core_find(core, ptr);

	if (!block) {
		bh_block_note_bad_pointer(call, ptr);
		return EINVAL;
	}
	slot_intend(call->heap, offset);
	call->heap->core.control->pending = block;
	bh_shared_store(slot, 0);
	if (bh_block_free_entered(call, block))
		return 0;
	bh_shared_store(slot, bh_bytes(block));
	return EUCLEAN;
}

int bheap_free_from(bheap_t *heap, uint64_t *slot)
{
	struct bh_call call;
	uint64_t offset;
	int error = EINVAL;

	if (!bh_enter_to_change(&call, heap))
		return -1;
	offset = slot_offset(heap, slot);
	if (offset)
		error = *slot ? slot_free(&call, slot, offset) : 0;
	bh_leave(&call);
	if (error)
		errno = error;
	return error ? -1 : 0;
}

/* ---- owners ---- */

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
	uint32_t root = block_around(heap, bh_core_offset(&heap->core, root_pointer(heap)));
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
		/* Asking about a process is a cancellation point, and nobody ends with the lock held. */
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		count = dead_blocks_free(&call);
		pthread_setcancelstate(state, NULL);
	}
	bh_leave(&call);
	if (count < 0)
		errno = ENOTSUP;
	return count;
}
