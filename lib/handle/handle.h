/* SPDX-License-Identifier: MIT */
/*
 * handle.h - a process's handle of a heap: the view of its blocks, its lock, its settings. Refuses
 * to know what is done with it.
 */
#ifndef BH_HANDLE_H
#define BH_HANDLE_H

#include "core/core.h"
#include "core/trailer.h"
#include "handle/shared.h"
#include "os/fault.h"
#include "os/lock.h"
#include "os/region.h"

/* Which calls may work on the heap without its lock: the fast path. */
enum bh_handle_skip_lock {
	BH_SKIP_LOCK_NEVER,
	BH_SKIP_LOCK_ONE_THREAD = 1, /* those of a process known to have one thread */
	BH_SKIP_LOCK_ALWAYS = 2,     /* all: BHEAP_UNLOCKED */
	BH_SKIP_LOCK_CACHED = 3,     /* those that this thread's cache can serve: BHEAP_CACHED */
	BH_SKIP_LOCK_GUARDED = 4,    /* those of api/guarded, which look at the lock themselves */
};
/* True if other calls may try the lock and need nothing else of bh_enter(). */
#define BH_SKIP_LOCK_MAY_TRY(skip_lock) ((skip_lock)&1)

struct bheap {
	struct bh_core core;
	unsigned skip_lock; /* enum bh_handle_skip_lock; atomic: a walk suspends it */
	unsigned flags;     /* enum bheap_flags */
	bool annotated;     /* Valgrind or AddressSanitizer listens */
	bool trailers;      /* blocks have one: BHEAP_GUARD or BHEAP_OWNED */
	bool redzones;      /* else a granule that is no one's: a tool listens */
	uint8_t closes; /* large freed blocks are inaccessible (pages.h): the shift of pages, or 0
			 */
	bool read_only;
	bool permanent;                    /* the default heap: never ends */
	bool trimmed;                      /* what was filled may have been decommitted: marks.h */
	bool grows;                        /* only a part is mapped (growing.h) */
	uint32_t table;                    /* the block that the last slot lay in (slots.c), or 0 */
	struct bh_budget_refused refusals; /* of a private heap: bh_handle_refusals() */
	uint64_t key;                      /* of the trailers' seals */
	uint64_t *filled;                  /* a bit for each granule (fill.h), or NULL */
	struct bh_shared *shared; /* the head of a shared region; NULL for a private heap */
	struct bh_region region;
	bheap_fault_fn *fault_handler; /* or NULL: the default one */
	void *fault_arg;
	bheap_refusal_fn *refusal_handler; /* or NULL */
	void *refusal_arg;
	struct bh_budget budget; /* of a private heap: bh_handle_budget() */
	struct bh_lock lock;
};
_Static_assert(offsetof(struct bheap, core) == 0, "a core is turned into its heap");

/*
 * The room of the handle in a heap's own memory, alike on every machine, whatever the size of its
 * pointers and mutexes, so that a buffer has the same room for blocks.
 */
#define BH_HANDLE_ROOM 256
_Static_assert(sizeof(struct bheap) <= BH_HANDLE_ROOM, "the handle fits");
_Static_assert(BH_HANDLE_ROOM % BH_GRANULE == 0, "the control block after the handle is aligned");

/*
 * Of zeroed memory: initialises a handle but for its view and its key: flags, fault sink,
 * annotations, lock. 0, or -1 with errno.
 */
int bh_handle_init(bheap_t *heap, unsigned flags, enum bh_lock_kind kind, pthread_mutex_t *shared);

/* Releases the handle's own resources; not its memory. */
void bh_handle_end(bheap_t *heap);

/* True if private heaps made now have redzones where they have no trailers. */
bool bh_handle_wants_redzones(void);

/* Which calls may skip the lock while no walk is under way: none that must look at a limit. */
enum bh_handle_skip_lock bh_handle_skip_lock(const bheap_t *heap);

/*
 * True if blocks of the heap may be in caches (caches.h): not while a tool listens, which forbids
 * to read the mark where a program has no byte.
 */
static inline bool bh_handle_is_cached(const bheap_t *heap)
{
	return heap->flags & BHEAP_CACHED && !heap->annotated;
}

/* Which calls may skip the lock now. Needs no lock. */
static inline unsigned bh_handle_skips(const bheap_t *heap)
{
	return __atomic_load_n(&heap->skip_lock, __ATOMIC_RELAXED);
}

/* Granules by which the heap may still grow. */
static inline uint32_t bh_handle_ahead(const bheap_t *heap)
{
	const char *end = bh_core_address(&heap->core, heap->core.end);

	if (!heap->grows)
		return 0;
	return (uint32_t)((size_t)(heap->region.start + heap->region.size - end) >>
			  BH_GRANULE_SHIFT);
}

/* Bytes of blocks, with those by which the heap may still grow. */
static inline size_t bh_handle_size(const bheap_t *heap)
{
	return bh_core_size(&heap->core) + bh_bytes(bh_handle_ahead(heap));
}

/* Where reports go. */
static inline struct bh_fault_sink bh_handle_fault_sink(const bheap_t *heap)
{
	return (struct bh_fault_sink){heap->fault_handler, heap->fault_arg,
				      heap->flags & BHEAP_ABORT};
}

static inline const struct bh_budget *bh_handle_budget(const bheap_t *heap)
{
	return heap->shared ? &heap->shared->budget : &heap->budget;
}

static inline struct bh_budget_refused *bh_handle_refusals(const bheap_t *heap)
{
	return heap->shared ? &heap->shared->refusals : &((bheap_t *)(uintptr_t)heap)->refusals;
}

/* True if a request should not be refused before that handler was asked. Needs no lock. */
static inline bool bh_handle_has_refusal_handler(const bheap_t *heap)
{
	return __atomic_load_n(&heap->refusal_handler, __ATOMIC_RELAXED);
}

/* Bytes that may be in use, or 0: all. Needs no lock. */
static inline uint64_t bh_handle_limit(const bheap_t *heap)
{
	return __atomic_load_n(&bh_handle_budget(heap)->limit, __ATOMIC_ACQUIRE);
}

/* Of an entered heap: from now on the limit holds for all processes and threads. */
void bh_handle_set_limit(bheap_t *heap, uint64_t limit);

/* True if more bytes than the limit would be in use with so many more granules, of one block. */
static inline bool bh_handle_is_over_limit(const bheap_t *heap, size_t granules)
{
	uint64_t limit = bh_handle_limit(heap);

	return limit && ((uint64_t)heap->core.control->used + granules) << BH_GRANULE_SHIFT > limit;
}

/* Number of the user's bytes in a block of this many granules. */
static inline size_t bh_handle_usable(const bheap_t *heap, uint32_t block, uint32_t granules)
{
	if (heap->trailers)
		return bh_trailer_usable(&heap->core, heap->key, block, granules);
	BH_ASSERT(granules >= heap->redzones);
	return bh_bytes(granules - heap->redzones);
}

/*
 * Granules for a request of size bytes: at least one, and the trailer or redzone where the heap has
 * them.
 */
static inline size_t bh_handle_request_granules(const bheap_t *heap, size_t size)
{
	return bh_granules(size ? size : 1) + (heap->trailers ? BH_TRAILER_GRANULES : 0) +
	       heap->redzones;
}

/* True if a block has this alignment, a power of two. */
static inline bool bh_handle_is_aligned(const bheap_t *heap, uint32_t block, size_t alignment)
{
	return !((uintptr_t)bh_core_address(&heap->core, block) & (alignment - 1));
}

/* True if the limit refuses to make a block of so many granules so large. */
static inline bool bh_handle_is_resize_over_limit(const bheap_t *heap, uint32_t granules,
						  size_t size)
{
	size_t wanted = bh_handle_request_granules(heap, size);

	return wanted > granules && bh_handle_is_over_limit(heap, wanted - granules);
}

/*
 * Bytes right before the first block that are no one's: in a heap in a buffer, where no
 * inaccessible page lies there.
 */
static inline size_t bh_handle_front_size(const bheap_t *heap)
{
	return !heap->region.start && (heap->trailers || heap->redzones) ? BH_GRANULE : 0;
}

/*
 * The owner of a block just allocated: this process with BHEAP_OWNED, else a number that tells it
 * from an earlier block in its place.
 */
uint32_t bh_handle_owner(const bheap_t *heap);

/* The PID namespace of this process; 0 if unknown. */
uint32_t bh_handle_pid_namespace(void);

#endif
