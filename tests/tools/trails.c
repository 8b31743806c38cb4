/* SPDX-License-Identifier: MIT */
/*
 * trails.c - tools/trail.c beside a plain array: blocks are allocated, resized and freed at random;
 * of any byte the last block that had it must be told, with its stacks, or nothing, if there was no
 * memory to keep it.
 */
#include "tools/trail.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tools/budget.h"
#include "tools/callers.h"
#include "tools/loaded.h"
#include "tools/telling.h"

#define GRANULES 3000
#define ROUNDS 60000
#define SIZE_MOST 700
/* A leaf of entries ends in the middle of what is used. */
#define BASE ((uintptr_t)1 << 28)
#define FIRST ((uintptr_t)(65536 - GRANULES / 2))

struct block {
	uintptr_t address;
	size_t size;
	uint32_t made, freed; /* 0: it is live */
	bool resized;
};

/* What trail.c needs of others. */
struct budget budget;
static struct telling_fault told;
static uint32_t stack_next;

bheap_t *budget_make(void)
{
	return budget.heap;
}

uint32_t callers_find(struct unwind_frame caller)
{
	(void)caller;
	return stack_next;
}

struct unwind_frame unwind_interrupted(const void *context)
{
	return (struct unwind_frame){(uintptr_t)context, 0, 0};
}

void record_lock(void)
{
}

void record_unlock(void)
{
}

bool telling_lock_soon(void)
{
	return true;
}

bool telling_open(void)
{
	return true;
}

void telling_name(void)
{
}

void telling_fork(void)
{
}

void loaded_tell(uintptr_t return_address)
{
	(void)return_address;
}

void telling_fault(const struct telling_fault *fault)
{
	told = *fault;
}

static struct block blocks[ROUNDS + 1]; /* by number of the stack that made each */
static uint32_t last_of[GRANULES], live[GRANULES], live_count, block_count;
static uint64_t state = 88172645463325252;
static long wrong, known, freed_known;

static unsigned random_below(unsigned limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % limit;
}

static uintptr_t address_of(unsigned granule)
{
	return BASE + (FIRST + granule) * BHEAP_ALIGNMENT;
}

static unsigned granules_of(size_t size)
{
	return (unsigned)((size + BHEAP_ALIGNMENT - 1) / BHEAP_ALIGNMENT) + 1;
}

static unsigned place_of(const struct block *block)
{
	return (unsigned)((block->address - address_of(0)) / BHEAP_ALIGNMENT);
}

static bool is_free(unsigned from, unsigned count)
{
	if (from + count > GRANULES)
		return false;
	for (unsigned granule = from; granule < from + count; granule++)
		if (last_of[granule] && !blocks[last_of[granule]].freed)
			return false;
	return true;
}

static void block_make(unsigned from, size_t size)
{
	struct block *block = &blocks[++block_count];

	*block = (struct block){.address = address_of(from), .size = size, .made = block_count};
	for (unsigned granule = from; granule < from + granules_of(size); granule++)
		last_of[granule] = block_count;
	live[live_count++] = block_count;
	trail_made((void *)block->address, size, block_count);
}

static struct block *block_take(void)
{
	unsigned index = random_below(live_count);
	uint32_t number = live[index];

	live[index] = live[--live_count];
	blocks[number].freed = number + ROUNDS;
	return &blocks[number];
}

static void step(void)
{
	size_t size = random_below(4) ? random_below(100) + 1 : random_below(SIZE_MOST) + 1;
	unsigned from = random_below(GRANULES), what = random_below(8);
	struct block *block;

	if (what < 5 && is_free(from, granules_of(size)))
		block_make(from, size);
	if (what < 5 || !live_count)
		return;
	block = block_take();
	block->resized = what == 7;
	if (what < 7) {
		trail_freed((void *)block->address, block->freed);
		trail_freed((void *)block->address, 1); /* twice */
		return;
	}
	if (!trail_resized((void *)block->address, block->freed))
		wrong++;
	from = place_of(block);
	if (is_free(from, granules_of(size))) {
		block_make(from, size);
		return;
	}
	trail_kept((void *)block->address);
	block->freed = 0;
	live[live_count++] = block->made;
}

/* What is told of a byte. */
static void byte_check(unsigned granule)
{
	const struct block *block = &blocks[last_of[granule]];
	struct bheap_fault fault = {.kind = BHEAP_FAULT_WRITTEN_FREE};
	bool is_known;

	fault.address = (const void *)address_of(0);
	snprintf(fault.text, sizeof(fault.text), "written at +%ju",
		 (uintmax_t)(address_of(granule) - address_of(0) + random_below(BHEAP_ALIGNMENT)));
	trail_fault(&fault, false);
	is_known = told.known & TELLING_ALLOCATED;
	known += is_known;
	freed_known += (told.known & TELLING_FREED) != 0;
	if (!is_known && !last_of[granule])
		return;
	wrong += !is_known || told.block != block->address || told.block_size != block->size ||
		 told.made != block->made || told.freed != block->freed ||
		 !(told.known & TELLING_FREED) != !block->freed ||
		 (block->freed && !(told.known & TELLING_RESIZED) != !block->resized);
}

/* Where there is no memory for entries any more. */
static void check_exhausted(void)
{
	struct rlimit limit, none;
	struct bheap_fault fault = {.kind = BHEAP_FAULT_OVERFLOW};
	char *large = (char *)address_of(GRANULES), *small = (char *)(BASE + ((uintptr_t)3 << 20));

	trail_made(large, (size_t)8 << 20, 1);
	trail_freed(large, 2);
	if (getrlimit(RLIMIT_AS, &limit))
		return;
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	if (setrlimit(RLIMIT_AS, &none))
		return;
	trail_made(small, 24, 3);
	setrlimit(RLIMIT_AS, &limit);
	fault.address = small;
	trail_fault(&fault, false);
	wrong += told.known != 0;
	fault.address = large;
	trail_fault(&fault, false);
	wrong += told.made != 1 || told.freed != 2;
}

int main(void)
{
	trail_open((void *)BASE);
	for (unsigned round = 0; round < ROUNDS; round++) {
		step();
		byte_check(random_below(GRANULES));
	}
	for (unsigned granule = 0; granule < GRANULES; granule++)
		byte_check(granule);
	check_exhausted();
	printf("# %u blocks, %ld bytes told, %ld of freed blocks, %ld wrong\n", block_count, known,
	       freed_known, wrong);
	printf("1..1\n%sok 1 - the last block that had a byte\n",
	       wrong || known < ROUNDS / 2 || freed_known < ROUNDS / 10 ? "not " : "");
	return 0;
}
