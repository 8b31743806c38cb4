/* SPDX-License-Identifier: MIT */
/*
 * handle.c - initialises and ends a handle; tells how other processes know this one.
 */
#include "handle/handle.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/annotate.h"
#include "os/setting.h"

enum bh_handle_skip_lock bh_handle_skip_lock(const bheap_t *heap)
{
	if (heap->shared || heap->annotated || heap->read_only || heap->budget.limit)
		return BH_SKIP_LOCK_NEVER;
	if (heap->trailers)
		return BH_SKIP_LOCK_GUARDED;
	if (heap->lock.kind == BH_LOCK_NONE)
		return BH_SKIP_LOCK_ALWAYS;
	if (heap->flags & BHEAP_CACHED)
		return bh_annotate_finds_races() ? BH_SKIP_LOCK_NEVER : BH_SKIP_LOCK_CACHED;
	return BH_SKIP_LOCK_ONE_THREAD;
}

bool bh_handle_wants_redzones(void)
{
	return bh_settings.redzones && bh_annotate_wanted();
}

/* What threads load and store without the lock. */
static void atomics_annotate(const bheap_t *heap, void (*annotate)(const void *, size_t))
{
	const struct bh_lock *lock = &heap->lock;

	annotate(&heap->skip_lock, sizeof(heap->skip_lock));
	annotate(&lock->generation, sizeof(lock->generation));
	annotate(&lock->walker, sizeof(lock->walker));
	annotate(&lock->walk_generation, sizeof(lock->walk_generation));
	annotate(&lock->queue, sizeof(lock->queue));
	annotate(&lock->turns, sizeof(lock->turns));
}

int bh_handle_init(bheap_t *heap, unsigned flags, enum bh_lock_kind kind, pthread_mutex_t *shared)
{
	BH_ASSERT(!heap->flags && !heap->skip_lock);
	heap->flags = flags;
	heap->trailers = flags & (BHEAP_GUARD | BHEAP_OWNED);
	heap->annotated = bh_annotate_wanted();
	heap->redzones = !heap->shared && !heap->trailers && bh_handle_wants_redzones();
	heap->core.realtime = flags & BHEAP_REALTIME;
	if (bh_lock_init(&heap->lock, kind, shared))
		return -1;
	if (flags & BHEAP_REALTIME || bh_annotate_finds_races())
		bh_lock_forbid_bias(&heap->lock);
	atomics_annotate(heap, bh_annotate_atomic);
	heap->skip_lock = bh_handle_skip_lock(heap);
	return 0;
}

void bh_handle_end(bheap_t *heap)
{
	bh_lock_destroy(&heap->lock);
	atomics_annotate(heap, bh_annotate_plain);
}

/*
 * The fast path and the trylock path know no limit: a private heap that has one takes neither. A
 * thread may be on its way to the lock, having found that it may try it.
 */
void bh_handle_set_limit(bheap_t *heap, uint64_t limit)
{
	if (heap->shared) {
		bh_shared_store(&heap->shared->budget.limit, limit);
		return;
	}
	bh_shared_store(&heap->budget.limit, limit);
	bh_lock_set_detour(&heap->lock, limit);
	__atomic_store_n(&heap->skip_lock, bh_handle_skip_lock(heap), __ATOMIC_RELAXED);
}

uint32_t bh_handle_owner(const bheap_t *heap)
{
	return heap->flags & BHEAP_OWNED ? (uint32_t)getpid()
					 : (uint32_t)heap->core.control->allocations;
}

uint32_t bh_handle_pid_namespace(void)
{
	struct stat status;
	int saved = errno;

	if (stat("/proc/self/ns/pid", &status) == 0)
		return (uint32_t)status.st_ino;
	errno = saved;
	return 0;
}
