/* SPDX-License-Identifier: MIT */
/*
 * cache_get.c - prints the value of a key from the cache that cache.h describes and cache_put.c
 * fills. Without a key, it prints all values and how much of the budget they use. It never creates
 * a cache.
 *
 *	cc cache_get.c -o cache_get $(pkg-config --cflags --libs libbheap)
 *	./cache_get /dev/shm/cache answer
 *	./cache_get /dev/shm/cache
 */
#define _POSIX_C_SOURCE 200809L

#include "cache.h"

#include <stdio.h>
#include <stdlib.h>

/* A copy of the value, which the caller frees; NULL with errno ENOENT when it is not there. */
static char *get(struct cache *cache, const char *key)
{
	char *value = NULL;
	uint64_t *slot;

	if (cache_lock(cache))
		return NULL;
	slot = cache_find(cache, key);
	errno = ENOENT;
	if (slot) {
		struct cache_entry *entry = cache_entry_at(cache, *slot);

		entry->age = ++cache->table->clock;
		value = strndup(entry->bytes + entry->key_size, entry->value_size);
	}
	cache_unlock(cache);
	return value;
}

static int list(struct cache *cache)
{
	struct bheap_stats stats;
	unsigned entries = 0;

	if (cache_lock(cache))
		return -1;
	for (unsigned set = 0; set < CACHE_SETS; set++)
		for (unsigned way = 0; way < CACHE_WAYS; way++) {
			const struct cache_entry *entry =
				cache_entry_at(cache, cache->table->sets[set][way]);

			if (!entry)
				continue;
			entries++;
			printf("%.*s %.*s\n", (int)entry->key_size, entry->bytes,
			       (int)entry->value_size, entry->bytes + entry->key_size);
		}
	if (bheap_stats(cache->heap, &stats) == 0)
		fprintf(stderr,
			"%u entries in %zu blocks, %zu of %zu bytes used, %llu recoveries\n",
			entries, stats.live_blocks, stats.used, stats.size,
			(unsigned long long)stats.recoveries);
	cache_unlock(cache);
	return fflush(stdout);
}

int main(int argc, char **argv)
{
	struct cache cache;
	char *value;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "Usage: cache_get FILE [KEY]\n");
		return 2;
	}
	if (cache_open(&cache, argv[1], 0)) {
		fprintf(stderr, "cache_get: %s: %m\n", argv[1]);
		return 1;
	}
	if (argc == 2)
		return list(&cache) ? 1 : 0;
	value = get(&cache, argv[2]);
	if (!value) {
		fprintf(stderr, "cache_get: %s: %m\n", argv[2]);
		return 1;
	}
	puts(value);
	free(value);
	return bheap_close(cache.heap) ? 1 : 0;
}
