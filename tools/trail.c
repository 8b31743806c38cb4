/* SPDX-License-Identifier: MIT */
/*
 * trail.c - see trail.h. Each block has an entry at its first granule, which stays when it is
 * freed: the newest entry that covers a byte is that of the block that had it last. A new block
 * that covers only the front of an older one moves the older entry behind itself. The entries lie
 * in leaves, one for a MiB of the heap, outside of the heap. Where a leaf has no memory, and after
 * a call that interrupted another, what is not certain is not known.
 */
#include "trail.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "budget.h"
#include "callers.h"
#include "loaded.h"
#include "telling.h"

#define GRANULE BHEAP_ALIGNMENT
#define LEAF_GRANULES ((uint32_t)1 << 16)
#define LEAVES ((uint32_t)1 << 16)
_Static_assert((uint64_t)LEAVES *LEAF_GRANULES == (uint64_t)1 << 32, "for any granule");

#define TURN_MAX (((uint64_t)1 << 56) - 1)
#define UNUSED_MAX 63

struct trail {
	uint64_t turn : 56;      /* of the allocation; 0: there is none */
	uint64_t is_freed : 1;   /* or is being freed */
	uint64_t is_resized : 1; /* by realloc(3) */
	uint64_t unused_by : 6;  /* bytes of its granules that were not asked for */
	uint32_t start, end;     /* granules, the last exclusive */
	uint32_t made, freed;    /* stacks */
};

struct leaf {
	uint32_t reach; /* no block of an entry here ends behind it */
	struct trail trails[LEAF_GRANULES];
};

static bool is_wanted;
static const char *base;

/* Under the lock of the lines. */
static struct leaf *leaves[LEAVES];
static uint32_t first_lost = LEAVES; /* of the leaves that there was no memory for */
static uint64_t last_turn;

/* A call inside of another, as a signal handler makes it: the lock may be its own thread's. */
static bool is_incomplete; /* atomic */
static __thread bool inside __attribute__((tls_model("initial-exec")));
static __thread uint32_t stack_now __attribute__((tls_model("initial-exec")));

static bool trail_enter(void)
{
	if (inside) {
		__atomic_store_n(&is_incomplete, true, __ATOMIC_RELAXED);
		return false;
	}
	inside = true;
	record_lock();
	return true;
}

static void trail_leave(void)
{
	record_unlock();
	inside = false;
}

/* ---- entries; under the lock ---- */

static struct leaf *leaf_make(uint32_t number)
{
	int saved = errno;
	void *made = mmap(NULL, sizeof(struct leaf), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (made != MAP_FAILED) {
		madvise(made, sizeof(struct leaf), MADV_DONTDUMP);
		leaves[number] = made;
	} else if (number < first_lost) {
		first_lost = number;
	}
	errno = saved;
	return leaves[number];
}

/* NULL: there is no room. */
static struct leaf *leaf_find(uint32_t granule)
{
	uint32_t number = granule / LEAF_GRANULES;

	return leaves[number] ? leaves[number] : leaf_make(number);
}

static bool granule_find(uint32_t *granule, const void *address)
{
	uint64_t number = ((uintptr_t)address - (uintptr_t)base) / GRANULE;

	*granule = (uint32_t)number;
	return (uintptr_t)address >= (uintptr_t)base && *granule == number;
}

/* Puts an entry at a granule; what was there, or goes on behind it, stays where it is newer. */
static void trail_put(uint32_t at, struct trail trail)
{
	while (at < trail.end) {
		struct leaf *leaf = leaf_find(at);
		struct trail *place = leaf ? &leaf->trails[at % LEAF_GRANULES] : NULL;
		struct trail old;

		if (!place)
			return;
		old = *place;
		if (old.turn > trail.turn) {
			at = old.end;
			continue;
		}
		*place = trail;
		if (leaf->reach < trail.end)
			leaf->reach = trail.end;
		if (!old.turn)
			return;
		at = trail.end;
		trail = old;
	}
}

static const struct trail *trail_newer(const struct trail *one, const struct trail *other)
{
	return !one || (other && other->turn > one->turn) ? other : one;
}

/* Of a leaf, up to a granule: the newest entry that covers it, or NULL. */
static const struct trail *leaf_search(const struct leaf *leaf, uint32_t most, uint32_t granule)
{
	const struct trail *found = NULL;

	if (!leaf || leaf->reach <= granule)
		return NULL;
	for (uint32_t left = most + 1; left; left--) {
		const struct trail *trail = &leaf->trails[left - 1];

		if (trail->turn && trail->end > granule)
			found = trail_newer(found, trail);
	}
	return found;
}

/* The last block that had a granule; NULL: it is not known. */
static const struct trail *trail_find(uint32_t granule)
{
	uint32_t number = granule / LEAF_GRANULES;
	const struct trail *found = leaf_search(leaves[number], granule % LEAF_GRANULES, granule);

	if (number >= first_lost || __atomic_load_n(&is_incomplete, __ATOMIC_RELAXED))
		return NULL;
	while (number-- > 0)
		found = trail_newer(found, leaf_search(leaves[number], LEAF_GRANULES - 1, granule));
	return found;
}

/* The entry of the block that was allocated last at this address, or NULL. */
static struct trail *trail_at(const void *block)
{
	uint32_t granule;
	struct leaf *leaf = granule_find(&granule, block) ? leaves[granule / LEAF_GRANULES] : NULL;
	struct trail *trail = leaf ? &leaf->trails[granule % LEAF_GRANULES] : NULL;

	return trail && trail->turn && trail->start == granule &&
			       ((uintptr_t)block - (uintptr_t)base) % GRANULE == 0
		       ? trail
		       : NULL;
}

/* ---- calls ---- */

uint32_t trail_here(struct unwind_frame caller)
{
	budget_heap(); /* of which the first call is one, too */
	stack_now = 0;
	if (!is_wanted || inside)
		return 0;
	inside = true;
	stack_now = callers_find(caller);
	inside = false;
	return stack_now;
}

void trail_interrupted(const void *context)
{
	trail_here(unwind_interrupted(context));
}

/* With its trailer. */
static uint32_t granules_of(size_t size)
{
	return (uint32_t)((size ? size - 1 : 0) / GRANULE + 2);
}

void trail_made(const void *block, size_t size, uint32_t stack)
{
	struct trail trail = {.made = stack};

	if (!is_wanted || !block || !granule_find(&trail.start, block) || !trail_enter())
		return;
	trail.turn = ++last_turn & TURN_MAX;
	trail.end = trail.start + granules_of(size);
	trail.unused_by = ((uint64_t)granules_of(size) * GRANULE - size) & UNUSED_MAX;
	trail_put(trail.start, trail);
	trail_leave();
}

static bool trail_end(const void *block, uint32_t stack, bool is_resized)
{
	struct trail *trail;
	bool was_live;

	if (!is_wanted || !trail_enter())
		return false;
	trail = trail_at(block);
	was_live = trail && !trail->is_freed;
	if (was_live) {
		trail->is_freed = true;
		trail->is_resized = is_resized;
		trail->freed = stack;
	}
	trail_leave();
	return was_live;
}

void trail_freed(const void *block, uint32_t stack)
{
	trail_end(block, stack, false);
}

bool trail_resized(const void *block, uint32_t stack)
{
	return trail_end(block, stack, true);
}

void trail_kept(const void *block)
{
	struct trail *trail;

	if (!is_wanted || !trail_enter())
		return;
	trail = trail_at(block);
	if (trail)
		trail->is_freed = false;
	trail_leave();
}

/* ---- faults ---- */

/* The byte that the report names, or the block. */
static const void *place_of(const struct bheap_fault *fault)
{
	static const char words[] = " at +";
	const char *named = strstr(fault->text, words);
	uintptr_t offset = named ? strtoul(named + strlen(words), NULL, 10) : 0;

	return (const char *)fault->address + offset;
}

static void block_tell(struct telling_fault *told, const struct trail *trail)
{
	if (!trail)
		return;
	told->known |= TELLING_ALLOCATED;
	told->block = (uintptr_t)base + (uintptr_t)trail->start * GRANULE;
	told->block_size = (uint64_t)(trail->end - trail->start) * GRANULE - trail->unused_by;
	told->made = trail->made;
	if (!trail->is_freed)
		return;
	told->known |= TELLING_FREED | (trail->is_resized ? TELLING_RESIZED : 0);
	told->freed = trail->freed;
}

/* At the end of a process a lock that does not come is done without. */
void trail_fault(const struct bheap_fault *fault, bool found_at_end)
{
	struct telling_fault told = {
		.kind = fault->kind,
		.address = (uintptr_t)fault->address,
		.size = fault->size,
		.now = found_at_end ? 0 : stack_now,
		.known = found_at_end ? TELLING_AT_END : 0,
	};
	uint32_t granule;

	if (!is_wanted || !fault->address || inside || !telling_lock_soon())
		return;
	inside = true;
	if (granule_find(&granule, place_of(fault)))
		block_tell(&told, trail_find(granule));
	telling_fault(&told);
	trail_leave();
}

/* ---- start and fork ---- */

void trail_open(const void *first)
{
	base = first;
	__atomic_store_n(&is_wanted, telling_open(), __ATOMIC_RELEASE);
}

/* Now, for it may not find its own file later, in another root directory. */
static void program_tell(void)
{
	record_lock();
	loaded_tell((uintptr_t)getauxval(AT_ENTRY) + 1);
	record_unlock();
}

static void fork_child(void)
{
	telling_fork();
	record_unlock();
}

void trail_start(void)
{
	budget_heap();
	telling_name();
	if (is_wanted)
		program_tell();
	pthread_atfork(record_lock, record_unlock, fork_child);
}
