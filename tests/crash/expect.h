/* SPDX-License-Identifier: MIT */
/*
 * expect.h - what a test knows about a shared heap: which blocks live in it, what they hold, and
 * what the operation under way may change. Lies in memory shared with the processes of the test.
 * The process that finds the heap after a death holds it against this.
 */
#ifndef CRASH_EXPECT_H
#define CRASH_EXPECT_H

#include "bheap.h"

#define EXPECT_SIZE ((size_t)64 * 1024)
#define EXPECT_BLOCKS 64
#define EXPECT_SLOT_ROOM 16 /* bytes at the start of a block with a slot that are not content */

/* What may have become of a block when the operation was cut short. */
enum fate {
	STAYS,
	MAY_GO,     /* it is being freed */
	MAY_CHANGE, /* it is being resized: of its old size or of its new one */
	MAY_MOVE,   /* ... or has been copied to another block */
};

struct known {
	uint64_t offset;
	size_t size; /* bytes in the heap, trailer included */
	size_t new_size;
	size_t skip;    /* bytes at its start that are not content */
	size_t content; /* bytes that must be as they were */
	unsigned char seed;
	enum fate fate;
	bool seen;
};

enum phase { BEFORE, AFTER };

struct expect {
	int phase;      /* of the worker, told by itself */
	unsigned flags; /* of the heap */
	unsigned count;
	struct known blocks[EXPECT_BLOCKS];
	size_t gain;   /* of the block the operation allocates, trailer included; or 0 */
	int fd;        /* of the heap's file; inherited */
	char name[32]; /* of the shared memory object it is, if it has one */
	uint64_t slot; /* offset of the word it works on, or 0 */
	uint64_t root, new_root;
	bool root_is_slot;   /* the operation allocates the root */
	bool all_or_none;    /* blocks may go, all of them and the root */
	size_t scribbled;    /* of a free block that was written to; or 0 */
	unsigned dead;       /* blocks of a process that is dead already */
	uint64_t recoveries; /* before the death */
	unsigned unheard;    /* recoveries that the dead worker may have made and not told of */
	unsigned heard;      /* those that the fault handler heard of since expect_listen() */
	/* For the run of the whole operation: the path it is to take. */
	uint64_t expected, result;
	char verdict[256]; /* empty: all is well */
};

/* The first thing said against it stands. */
__attribute__((format(printf, 2, 3))) bool expect_fail(struct expect *expect, const char *format,
						       ...);

void expect_clear(struct expect *expect, unsigned flags);

/* What a request takes in the heap. */
size_t expect_block_size(const struct expect *expect, size_t size);

/* Allocates and fills a block that is known from now on; ends the program if there is no room. */
struct known *expect_put(struct expect *expect, bheap_t *heap, size_t size);

/* The same, of a block that is there. */
struct known *expect_adopt(struct expect *expect, bheap_t *heap, void *block, size_t size);

/* A block with a word for a slot, which is 0. */
struct known *expect_put_slot(struct expect *expect, bheap_t *heap);

/*
 * From now on this process records faults; called before the heap is opened, which may be a
 * recovery.
 */
void expect_listen(struct expect *expect);

/*
 * Compares the heap with what is expected, uses it for a while, frees all and looks whether all is
 * free. Takes locks, hence may hang where the heap is bad: run it with a time limit.
 */
void expect_verify(struct expect *expect, bheap_t *heap);

#endif
