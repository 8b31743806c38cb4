/* SPDX-License-Identifier: MIT */
/*
 * fixture.h - where a misuse takes place: a heap of some kind, blocks whose content is known, a
 * second heap, and the valid use that must go well afterwards. Knows the public header alone.
 */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include "support.h"

#define FIXTURE_SIZE ((size_t)64 * 1024)
#define FIXTURE_BLOCKS 64

enum place {
	PLACE_PLAIN,
	PLACE_GUARDED,
	PLACE_CLASSIC,  /* the default heap, by its own functions */
	PLACE_THREADED, /* not known to have one thread: another way through the library */
	PLACE_BUFFER,   /* guarded, unlocked */
	PLACES
};

struct live {
	unsigned char *ptr;
	size_t size;
	uint64_t seed;
	bool harmed; /* its content was written over by the misuse */
};

struct fixture {
	bheap_t *heap, *other;
	enum place place;
	bool guarded;
	struct faults faults;
	unsigned seen;               /* a bit for each kind of fault heard of */
	struct bheap_fault overflow; /* the last of that kind */
	struct live live[FIXTURE_BLOCKS];
};

const char *place_name(int place);

void fixture_begin(struct fixture *fixture, int place);

/* Blocks whose content is known, and an end to them. */
unsigned char *fixture_keep(struct fixture *fixture, size_t size);
void fixture_release(struct fixture *fixture, const void *ptr);
struct live *fixture_live(struct fixture *fixture, const void *ptr);

/* The heap's own way to free: bfree() for the default heap. */
int fixture_free(struct fixture *fixture, const void *ptr);

/* Bytes that a block for so many takes. */
size_t fixture_taken(const struct fixture *fixture, size_t size);

/* Much use of the heap, in which damage must show. */
void fixture_work(struct fixture *fixture);

/* Every block kept is as it was; freed, the heap is one free block, and the checker content. */
void fixture_end(struct fixture *fixture);

/*
 * A run without misuse, as an unchecked fixture of Check. Valgrind translates code when it runs
 * first: what has run before the tests is not translated in the child of each of them.
 */
void fixture_rehearse(void);

#endif
