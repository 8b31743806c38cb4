/* SPDX-License-Identifier: MIT */
/*
 * shared.h - the head of a shared region: by it a file is known as a heap; the processes' mutex;
 * and the intent of the operation under way, so that a death inside it loses nothing. Part of the
 * format of heap files: its fields keep their places.
 */
#ifndef BH_SHARED_H
#define BH_SHARED_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "handle/budget.h"

/*
 * \1 B H E A P \r \n in the file, on a machine that stores the low byte first; on others the bytes
 * of this and of all that follows are in the other order.
 */
#define BH_SHARED_MAGIC UINT64_C(0x0a0d504145484201)
/* Being created, or its creator died. */
#define BH_SHARED_CREATING UINT64_C(0x0a0d504145484200)
#define BH_SHARED_VERSION 1

enum bh_shared_inside {
	BH_OUTSIDE, /* no process is in a critical section */
	BH_INSIDE,  /* a process is, or died there */
	BH_AT_REST, /* as BH_OUTSIDE, and the sum of the map is valid */
};

/* bh_shared.slot is a multiple of 8, 0 for none, or this for the root. */
#define BH_SHARED_SLOT_ROOT 1

struct bh_shared {
	uint64_t magic;
	uint32_t version;   /* of this layout */
	uint16_t word_size; /* sizeof(void *) */
	uint16_t granule_size;
	uint32_t head_size; /* sizeof this */
	uint32_t flags;     /* enum bheap_flags that belong to the heap, not to a handle */
	uint64_t size;      /* of the file */
	uint64_t key;       /* of the trailers' seals */

	/* The intent: meaningful while inside, and after a death there. */
	uint32_t inside;   /* enum bh_shared_inside */
	uint32_t resizing; /* the block whose trailer is being rewritten, or 0 */
	uint32_t resizing_owner;
	uint32_t pid_namespace; /* the PID namespace of the owners' process ids */
	uint64_t slot;          /* offset of the word that holds the pending block, or below */

	uint64_t map_sum; /* of the map, while inside is BH_AT_REST */

	/* What storage.h knows of the file. */
	uint64_t reserved; /* what lies below this offset has storage */
	uint64_t holes;    /* not 0: but for pages inside free blocks */

	uint32_t attached; /* about how many handles that can write there are */
	uint32_t unused;
	struct bh_budget budget; /* zero where the heap is older than it */
	struct bh_budget_refused refusals;
	uint32_t unused_too[3];

	/* As large on every machine, whatever the size of a mutex there. */
	union {
		pthread_mutex_t mutex;
		unsigned char mutex_room[64];
	};
};
#define BH_SHARED_AT(field, offset)                                                                \
	_Static_assert(offsetof(struct bh_shared, field) == (offset), "format of heap files")
BH_SHARED_AT(magic, 0);
BH_SHARED_AT(version, 8);
BH_SHARED_AT(word_size, 12);
BH_SHARED_AT(granule_size, 14);
BH_SHARED_AT(head_size, 16);
BH_SHARED_AT(flags, 20);
BH_SHARED_AT(size, 24);
BH_SHARED_AT(key, 32);
BH_SHARED_AT(inside, 40);
BH_SHARED_AT(resizing, 44);
BH_SHARED_AT(resizing_owner, 48);
BH_SHARED_AT(pid_namespace, 52);
BH_SHARED_AT(slot, 56);
BH_SHARED_AT(map_sum, 64);
BH_SHARED_AT(reserved, 72);
BH_SHARED_AT(holes, 80);
BH_SHARED_AT(attached, 88);
BH_SHARED_AT(budget, 96);
BH_SHARED_AT(refusals, 104);
BH_SHARED_AT(mutex, 128);
_Static_assert(sizeof(struct bh_shared) == 192, "format of heap files, alike on every machine");

/*
 * Release store and compiler barrier: earlier stores (map, trailers, content) are visible first,
 * later ones are not moved ahead. For a process that is killed, and for one that reads without the
 * lock.
 */
static inline void bh_shared_store(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void bh_shared_note(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#endif
