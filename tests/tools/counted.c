/* SPDX-License-Identifier: MIT */
/*
 * counted.c - a program that makes as many random calls of malloc()'s family as its argument says,
 * in each of two threads, and prints what it counted itself, for calls.sh: a line for each kind of
 * call, and for each class of sizes. Nothing else in it allocates, but for its threads' start.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOTS 500
#define CLASSES 13 /* of 0 bytes, of up to 16, 32 and so on */

enum kind { MALLOC, CALLOC, ALIGNED, IN_PLACE, MOVED, OF_NULL, TO_ZERO, FREE, FREE_NULL, KINDS };

static const char *const names[KINDS] = {"malloc",           "calloc",        "aligned",
					 "realloc_in_place", "realloc_moved", "realloc_null",
					 "realloc_zero",     "free",          "free_null"};

struct counts {
	unsigned long calls[KINDS], failed[KINDS], allocated[KINDS], freed[KINDS], sizes[CLASSES];
};

struct work {
	unsigned long steps;
	uint32_t random;
	struct counts counts;
	char *blocks[SLOTS];
	size_t had[SLOTS]; /* bytes that were asked for */
};

/* What the compiler knows of these functions would change the calls. */
static void *(*volatile make)(size_t) = malloc;
static void *(*volatile make_zero)(size_t, size_t) = calloc;
static void *(*volatile resize)(void *, size_t) = realloc;
static void *(*volatile resize_array)(void *, size_t, size_t) = reallocarray;
static void (*volatile end)(void *) = free;

static uint32_t random_next(struct work *work)
{
	work->random = work->random * 1664525 + 1013904223;
	return work->random >> 8;
}

static void count(struct work *work, enum kind kind, unsigned slot, size_t size)
{
	struct counts *counts = &work->counts;
	size_t had = work->had[slot];
	unsigned class = 0;

	counts->calls[kind]++;
	counts->allocated[kind] += size > had ? size - had : 0;
	counts->freed[kind] += had > size ? had - size : 0;
	work->had[slot] = size;
	if (kind == FREE || kind == FREE_NULL || kind == TO_ZERO)
		return;
	while (size && size > (class ? (size_t)8 << class : 0))
		class ++;
	counts->sizes[class]++;
}

static void aligned_make(struct work *work, unsigned slot, size_t size)
{
	size_t alignment = (size_t)32 << random_next(work) % 6;
	void *block = NULL;

	switch (random_next(work) % 3) {
	case 0: block = aligned_alloc(alignment, size); break;
	case 1: block = memalign(alignment, size); break;
	default:
		if (posix_memalign(&block, alignment, size))
			block = NULL;
		break;
	}
	work->blocks[slot] = block;
	count(work, ALIGNED, slot, size);
}

static void block_make(struct work *work, unsigned slot, size_t size)
{
	switch (random_next(work) % 4) {
	case 0:
		work->blocks[slot] = make(size);
		count(work, MALLOC, slot, size);
		break;
	case 1:
		work->blocks[slot] = make_zero(size / 8, 8);
		count(work, CALLOC, slot, size / 8 * 8);
		break;
	case 2:
		work->blocks[slot] = resize(NULL, size);
		count(work, OF_NULL, slot, size);
		break;
	default: aligned_make(work, slot, size); break;
	}
}

static void block_change(struct work *work, unsigned slot, size_t size)
{
	uintptr_t before = (uintptr_t)work->blocks[slot];

	if (random_next(work) % 3 == 0) {
		end(work->blocks[slot]);
		work->blocks[slot] = NULL;
		count(work, FREE, slot, 0);
		return;
	}
	work->blocks[slot] = random_next(work) % 2 ? resize(work->blocks[slot], size)
						   : resize_array(work->blocks[slot], size, 1);
	if (!size)
		count(work, TO_ZERO, slot, 0);
	else
		count(work, (uintptr_t)work->blocks[slot] == before ? IN_PLACE : MOVED, slot, size);
}

/* Requests that no machine can meet. */
static void failures_make(struct work *work)
{
	static const enum kind kinds[] = {MALLOC,  CALLOC,   ALIGNED, ALIGNED,
					  ALIGNED, IN_PLACE, IN_PLACE};
	size_t volatile beyond = SIZE_MAX / 2 + 2; /* no power of two is as large */
	void *block = NULL;

	work->blocks[0] = make(100);
	count(work, MALLOC, 0, 100);
	if (make(PTRDIFF_MAX / 2) || make_zero(SIZE_MAX / 2, 4) ||
	    aligned_alloc(64, PTRDIFF_MAX / 2) || posix_memalign(&block, 3, 100) != EINVAL ||
	    memalign(beyond, 100) || resize(work->blocks[0], PTRDIFF_MAX / 2) ||
	    resize_array(work->blocks[0], SIZE_MAX / 2, 4))
		abort();
	for (size_t index = 0; index < sizeof(kinds) / sizeof(*kinds); index++) {
		work->counts.calls[kinds[index]]++;
		work->counts.failed[kinds[index]]++;
	}
}

static void *work_do(void *arg)
{
	struct work *work = arg;

	if (work->steps)
		failures_make(work);
	for (unsigned long step = 0; step < work->steps; step++) {
		unsigned slot = random_next(work) % SLOTS;
		size_t size = random_next(work) % (random_next(work) % 8 ? 300 : 20000);

		if (work->blocks[slot])
			block_change(work, slot, size);
		else if (random_next(work) % 8)
			block_make(work, slot, size);
		else {
			end(NULL);
			work->counts.calls[FREE_NULL]++;
		}
	}
	return NULL;
}

static void counts_print(const struct work *works)
{
	char line[200];
	int length;

	for (unsigned kind = 0; kind < KINDS; kind++) {
		const struct counts *one = &works[0].counts, *other = &works[1].counts;

		length = snprintf(line, sizeof(line), "%s %lu %lu %lu %lu\n", names[kind],
				  one->calls[kind] + other->calls[kind],
				  one->failed[kind] + other->failed[kind],
				  one->allocated[kind] + other->allocated[kind],
				  one->freed[kind] + other->freed[kind]);
		if (write(STDOUT_FILENO, line, (size_t)length) != length)
			_exit(1);
	}
	for (unsigned class = 0; class < CLASSES; class ++) {
		length = snprintf(line, sizeof(line), "size %lu %lu\n", class ? 8ul << class : 0,
				  works[0].counts.sizes[class] + works[1].counts.sizes[class]);
		if (write(STDOUT_FILENO, line, (size_t)length) != length)
			_exit(1);
	}
}

int main(int argc, char **argv)
{
	static struct work works[2];
	pthread_t threads[2];

	for (unsigned index = 0; index < 2; index++) {
		works[index].steps = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
		works[index].random = 17 + index;
		if (pthread_create(&threads[index], NULL, work_do, &works[index]))
			return 77;
	}
	for (unsigned index = 0; index < 2; index++)
		pthread_join(threads[index], NULL);
	counts_print(works);
	return 0;
}
