/* SPDX-License-Identifier: MIT */
/*
 * fork.c - the wiped page, and the handlers that stand in for it.
 */
#include "os/fork.h"

#include <pthread.h>
#include <string.h>

#include "core/assert.h"
#include "os/region.h"
#include "os/wait.h"

#define NAP 50000 /* nanoseconds: a holder needs none, unless it was interrupted */

static struct bh_fork_page unwiped = {.generation = 1};
static unsigned last_generation = 1; /* copied by a fork */
static unsigned before_fork;
static uint32_t forks; /* of this process and its ancestors */

struct bh_fork_page *bh_fork_page = &unwiped;
int bh_fork_error;

static void fork_prepare(void)
{
	before_fork = bh_fork_generation();
	__atomic_add_fetch(&forks, 1, __ATOMIC_RELAXED);
}

/* The page still is as it was in the parent: the kernel did not wipe it. */
static void fork_child(void)
{
	if (bh_fork_generation() == before_fork)
		memset(bh_fork_page, 0, sizeof(*bh_fork_page));
}

/* When the library is loaded: bheap_create_in() makes no system call. */
__attribute__((constructor)) static void fork_watch(void)
{
	struct bh_fork_page *page = bh_region_wiped_page();

	if (page) {
		*page = unwiped;
		bh_fork_page = page;
	}
	bh_fork_error = pthread_atfork(fork_prepare, NULL, fork_child);
}

/*
 * Counted before it is published: threads of the child that begin it together, and a child that one
 * of them forks meanwhile, never use the same number twice.
 */
unsigned bh_fork_generation_begin(void)
{
	unsigned generation = bh_fork_generation();

	if (!generation) {
		unsigned next = __atomic_add_fetch(&last_generation, 1, __ATOMIC_RELAXED);

		if (__atomic_compare_exchange_n(&bh_fork_page->generation, &generation, next, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			generation = next;
	}
	BH_ASSERT(generation);
	return generation;
}

uint64_t bh_fork_mark(void)
{
	return (uint64_t)__atomic_load_n(&forks, __ATOMIC_RELAXED) << 32 |
	       bh_fork_generation_begin();
}

void bh_fork_lock(enum bh_fork_lock lock)
{
	BH_ASSERT(lock < BH_FORK_LOCKS);
	while (__atomic_exchange_n(&bh_fork_page->locks[lock], 1, __ATOMIC_ACQUIRE))
		bh_wait_nap(NAP);
}

void bh_fork_unlock(enum bh_fork_lock lock)
{
	__atomic_store_n(&bh_fork_page->locks[lock], 0, __ATOMIC_RELEASE);
}
