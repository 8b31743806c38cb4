/* SPDX-License-Identifier: MIT */
/*
 * budget.h - the one heap of libbheap-malloc: its settings from the environment, its creation on
 * the first call, its lock (threads, fork), its faults, and what is done when it is spent. Keeps:
 * the heap is made BHEAP_UNLOCKED and only touched between enter and leave, so that a fork never
 * copies it half changed. Refuses to know the malloc family.
 */
#ifndef TOOLS_BUDGET_H
#define TOOLS_BUDGET_H

#include <bheap.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/single_threaded.h>

#include "account.h"
#include "handle/caches.h"

#define LIKELY(condition) BH_LIKELY(condition)
#define UNLIKELY(condition) BH_UNLIKELY(condition)

struct budget {
	bheap_t *heap;               /* atomic; NULL before the first call */
	_Alignas(8) uint64_t faults; /* of freed blocks that the heap does not know of */
	uint64_t sized;              /* 1 if the heap has the size that was asked for, else 0 */
	const char *fresh; /* no block ever reached this address: from here on the memory is zero */
	const char *start; /* of the heap's blocks */
	bheap_t *cached;   /* atomic; the same if threads have caches in it: caches.h */
	const char *mark;  /* when fresh passes it, figures are noted */
	size_t large; /* a freed block above this gives its pages back at once; grows as such are
			 wanted again */
	size_t freed; /* bytes freed since budget_freed_much() was last called */
	size_t freed_limit;  /* what that may come to */
	size_t freed_before; /* bytes freed before, since the heap was last trimmed */
	size_t used_most;    /* bytes in live blocks since then, at the most */
	size_t trim_at;      /* what that may come to */
	bool guarded;
	bool aborts; /* when a request is refused for want of room */
	bool fault_aborts;
	uint64_t refusals;
	unsigned turns; /* how often the lock was taken */
	pthread_mutex_t lock;
};

extern struct budget budget;

/* Makes the heap, or waits until another thread has; ends the process when it cannot be made. */
bheap_t *budget_make(void);

static inline bheap_t *budget_heap(void)
{
	bheap_t *heap = __atomic_load_n(&budget.heap, __ATOMIC_ACQUIRE);

	return LIKELY(heap) ? heap : budget_make();
}

/* Takes the lock, which another thread has. */
void budget_wait(void);

/* True if the lock was taken: a process with one thread needs none. */
static inline bool budget_enter(void)
{
	bool shared = !__libc_single_threaded;

	if (shared) {
		if (UNLIKELY(pthread_mutex_trylock(&budget.lock)))
			budget_wait();
		__atomic_store_n(&budget.turns, budget.turns + 1, __ATOMIC_RELAXED);
	}
	return shared;
}

static inline void budget_leave(bool locked)
{
	if (locked)
		pthread_mutex_unlock(&budget.lock);
}

/* Inside: blocks up to this size, which are wanted again, keep their pages from now on. */
void budget_keep(size_t size);

/* Inside: the pages of all free blocks go back to the system. */
void budget_trim(void);

/* A block was made or grown, inside: its memory is fresh no more. Whether it was. */
static inline bool budget_touch(const void *block, size_t size)
{
	const char *end =
		(const char *)block + ((size + BHEAP_ALIGNMENT - 1) & -(size_t)BHEAP_ALIGNMENT);

	if (LIKELY(end <= budget.fresh))
		return false;
	budget.fresh = end;
	if (UNLIKELY(end > budget.mark))
		account_note();
	if (UNLIKELY(budget.freed_before > budget.trim_at))
		budget_trim();
	return true;
}

/* Counts a new block. */
static inline void budget_made(const void *block, size_t size)
{
	if (LIKELY(!budget_touch(block, size)) && UNLIKELY(size > budget.large))
		budget_keep(size);
}

/* Inside: frees a large block; its pages go back to the system. As budget_release(). */
int budget_release_large(void *block, size_t usable);

/* Inside: much was freed. Figures are noted; pages go back to the system. */
void budget_freed_much(void);

/* Inside: so many bytes went back to the heap. */
static inline void budget_freed(size_t size)
{
	budget.freed += size;
	if (UNLIKELY(budget.freed > budget.freed_limit))
		budget_freed_much();
}

/* Inside: frees a block; usable: its bytes, 0 when not known. -1 after a report: it is none. */
static inline int budget_release(void *block, size_t usable)
{
	if (UNLIKELY(usable > budget.large))
		return budget_release_large(block, usable);
	budget_freed(usable);
	return bheap_free(budget.heap, block);
}

/* A block in a cache was freed or resized again. */
void budget_report_free(const void *ptr);

/* In a signal handler: the program ends by an access that is a fault. */
void budget_report_access(const struct bheap_fault *fault);

/*
 * Inside, at the end: reports what guards see of blocks that were never freed, or not handed out
 * again. True if the program is to be aborted for it.
 */
bool budget_inspect(void);

/* A request of size bytes found no room: NULL with errno ENOMEM, or the end, as set. */
void *budget_refuse(size_t size);

#endif
