/* SPDX-License-Identifier: MIT */
/*
 * cache.c - see cache.h.
 */
#include "cache.h"

#include <sys/random.h>

/* The most that a bin keeps, in bytes and in blocks: 237 KiB a thread in all. */
#define BIN_SIZE 4096
#define BIN_COUNT_MAX 64
/* The most that a bin is filled up with at once, where the lock is needed. */
#define FILL_MAX 15

__thread struct cache cache __attribute__((tls_model("initial-exec")));
uintptr_t cache_secret;

static pthread_key_t end_key;
static bool is_set_up;

static unsigned bin_limit(size_t granules)
{
	size_t count = BIN_SIZE / (granules * BHEAP_ALIGNMENT);

	return (unsigned)(count < BIN_COUNT_MAX ? count : BIN_COUNT_MAX);
}

static void thread_end(void *unused)
{
	(void)unused;
	cache_end();
}

void cache_set_up(void)
{
	/*
	 * Any mark tells the secret, which is therefore good for nothing else. Where the kernel
	 * gives none, marks are no secret.
	 */
	if (getrandom(&cache_secret, sizeof(cache_secret), GRND_NONBLOCK) < 0)
		cache_secret = (uintptr_t)&cache_secret * UINT32_C(0x9e3779b1);
	cache_secret |= 1; /* never the mark of a block that was not cached yet: aligned, so even */
	is_set_up = pthread_key_create(&end_key, thread_end) == 0;
}

/* Telling that this thread ends may need memory: it finds the cache off. */
static void cache_begin(void)
{
	cache.state = CACHE_OFF;
	if (pthread_setspecific(end_key, &cache))
		return;
	for (size_t granules = 1; granules <= CACHE_CLASSES; granules++)
		cache.bins[granules].room = bin_limit(granules);
	cache.state = CACHE_ON;
}

/* Gives all blocks of a list to the heap. */
static void list_release(struct cache_node *node, size_t granules)
{
	bool locked = budget_enter();

	while (node) {
		struct cache_node *next = node->next;

		node->mark = 0;
		budget_release(node, granules * BHEAP_ALIGNMENT);
		node = next;
	}
	budget_leave(locked);
}

/* The half that was used last stays. */
static void bin_halve(struct cache_bin *bin, size_t granules)
{
	unsigned keep = bin_limit(granules) / 2;
	struct cache_node *last = bin->first, *rest;

	for (unsigned count = 1; count < keep; count++)
		last = last->next;
	rest = last->next;
	last->next = NULL;
	bin->room = bin_limit(granules) - keep;
	list_release(rest, granules);
}

bool cache_put_slowly(void *ptr, size_t granules)
{
	if (cache.state == CACHE_NEW && is_set_up)
		cache_begin();
	if (cache.state != CACHE_ON)
		return false;
	if (!cache.bins[granules].room)
		bin_halve(&cache.bins[granules], granules);
	return cache_put(ptr, granules * BHEAP_ALIGNMENT);
}

void cache_fill(bheap_t *heap, size_t granules)
{
	struct cache_bin *bin = &cache.bins[granules];
	size_t size = granules * BHEAP_ALIGNMENT;
	unsigned wanted = bin->fill < bin->room / 2 ? bin->fill : bin->room / 2, count = 0;
	void *blocks[FILL_MAX];

	if (bin->fill < FILL_MAX)
		bin->fill += bin->fill + 1;
	while (count < wanted && (blocks[count] = bheap_alloc(heap, size))) {
		budget_touch(blocks[count], size);
		count++;
	}
	/* The one made first is taken first: neighbours in time stay neighbours in memory. */
	while (count)
		cache_put(blocks[--count], size);
}

void cache_end(void)
{
	cache.state = CACHE_OFF;
	for (size_t granules = 1; granules <= CACHE_CLASSES; granules++) {
		struct cache_node *first = cache.bins[granules].first;

		cache.bins[granules] = (struct cache_bin){.room = 0};
		list_release(first, granules);
	}
}

void cache_count(size_t *blocks, size_t *size)
{
	*blocks = *size = 0;
	for (size_t granules = 1; granules <= CACHE_CLASSES && cache.state == CACHE_ON;
	     granules++) {
		size_t count = bin_limit(granules) - cache.bins[granules].room;

		*blocks += count;
		*size += count * granules * BHEAP_ALIGNMENT;
	}
}
