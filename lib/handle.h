/* SPDX-License-Identifier: MIT */
/*
 * handle.h - a process's handle of a heap, and the door every call but the shortest goes through:
 * lock, repair what a dead holder left, work, unlock, report. Refuses to know what the work is.
 */
#ifndef BH_HANDLE_H
#define BH_HANDLE_H

#include "fault.h"
#include "heap.h"
#include "lock.h"
#include "region.h"
#include "trailer.h"

/* Which calls may work on the heap without passing the door. */
enum bh_skip_lock {
	BH_SKIP_LOCK_NEVER,
	BH_SKIP_LOCK_ONE_THREAD,  /* those of a process known to have one thread */
	BH_SKIP_LOCK_ALWAYS, /* all: BHEAP_UNLOCKED */
};

struct bh_shared;

struct bheap {
	struct bh_core core;
	unsigned skip_lock;            /* enum bh_skip_lock; atomic, for a walk closes it for a while */
	unsigned flags;           /* enum bheap_flags */
	bool annotated;           /* Valgrind or AddressSanitizer listens */
	bool trailers;            /* blocks have one: BHEAP_GUARD or BHEAP_OWNED */
	bool read_only;
	bool permanent;           /* the default heap: never ends */
	uint64_t key;             /* of the trailers' seals */
	uint32_t table;           /* the block that the last slot lay in (slots.c), or 0 */
	uint64_t *filled;         /* a bit for each granule (fill.h), or NULL */
	struct bh_shared *shared; /* the head of a shared region; NULL for a private heap */
	struct bh_region region;
	struct bh_fault_sink faults;
	struct bh_lock lock;
};

struct bh_report {
	enum bheap_fault_kind kind;
	const void *address;
	size_t size;
	const char *detail; /* or NULL */
	const void *at;     /* the first byte concerned, or NULL */
};

#define BH_REPORTS_MAX 4

/* One call's passage through the door. */
struct bh_call {
	bheap_t *heap;
	enum bh_lock_result lock;
	unsigned skip_lock; /* what a walk restores */
	uint32_t top, victim; /* as bh_fill_watch() saw them */
	unsigned count;
	struct bh_report reports[BH_REPORTS_MAX];
};

/*
 * What a new handle starts with: flags, fault sink, annotations, pass. The heap view is the
 * caller's. 0, or -1 with errno.
 */
int bh_handle_init(bheap_t *heap, unsigned flags, enum bh_lock_kind kind, pthread_mutex_t *shared);

/* The handle's own resources; not its memory. */
void bh_handle_end(bheap_t *heap);

/* Locks and repairs. False with errno EINVAL (no heap), EDEADLK, or of the lock. */
bool bh_enter(struct bh_call *call, const bheap_t *heap);

/* The same for who changes the heap; false with errno EROFS too. */
bool bh_enter_to_change(struct bh_call *call, bheap_t *heap);

/* The same for who calls a visitor meanwhile: calls from it on this heap are refused. */
bool bh_enter_to_walk(struct bh_call *call, const bheap_t *heap);

/* Makes a heap whole whose last holder vanished inside an operation. */
void bh_recover(bheap_t *heap);

/* Unlocks, then makes the reports. errno is kept. */
void bh_leave(struct bh_call *call);
void bh_leave_walk(struct bh_call *call);

/* A fault, counted now and reported when the lock is released. */
void bh_call_note(struct bh_call *call, enum bheap_fault_kind kind, const void *address, size_t size,
	     const char *detail);

/* The same with all that a report has. */
void bh_call_note_report(struct bh_call *call, const struct bh_report *report);

/* After an operation met damage: reports it and rebuilds. False if there was none. */
bool bh_damage_rebuild(struct bh_call *call);

static inline bool bh_may_skip_lock(const bheap_t *heap)
{
	unsigned skip_lock = __atomic_load_n(&heap->skip_lock, __ATOMIC_RELAXED);

	return skip_lock == BH_SKIP_LOCK_ALWAYS ||
	       (skip_lock == BH_SKIP_LOCK_ONE_THREAD && bh_lock_may_skip(&heap->lock));
}

/*
 * Whether the caller has a heap for itself now that needs no more of the door than its lock. What it
 * cannot finish it leaves undone, bh_leave_trylock(), and goes through the door.
 */
static inline bool bh_enter_trylock(bheap_t *heap)
{
	return __atomic_load_n(&heap->skip_lock, __ATOMIC_RELAXED) == BH_SKIP_LOCK_ONE_THREAD &&
	       bh_lock_try(&heap->lock);
}

static inline void bh_leave_trylock(bheap_t *heap)
{
	bh_lock_release_tried(&heap->lock);
}

/* The user's bytes of a block of so many granules. */
static inline size_t bh_handle_usable(const bheap_t *heap, uint32_t block, uint32_t granules)
{
	if (heap->trailers)
		return bh_trailer_usable(&heap->core, heap->key, block, granules);
	return bh_bytes(granules);
}

/* The granules for so many bytes, at least one, with a trailer where the heap has them. */
static inline size_t bh_handle_request_granules(const bheap_t *heap, size_t size)
{
	return bh_granules(size ? size : 1) + (heap->trailers ? BH_TRAILER_GRANULES : 0);
}

#endif
