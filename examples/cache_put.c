/* SPDX-License-Identifier: MIT */
/*
 * cache_put.c - puts keys and values into the cache that cache.h describes; cache_get.c is the
 * other half. Kill either with SIGKILL whenever you like: the other one goes on.
 *
 *	cc cache_put.c -o cache_put $(pkg-config --cflags --libs libbheap)
 *	./cache_put /dev/shm/cache answer 42
 *	generate-lines-of-key-space-value | ./cache_put /dev/shm/cache
 */
#define _POSIX_C_SOURCE 200809L

#include "cache.h"

#include <stdio.h>
#include <stdlib.h>

/* The slot in a set to use next: an empty one, else the one of the entry not used for longest. */
static uint64_t *slot_choose(struct cache *cache, uint64_t *set)
{
	uint64_t *oldest = &set[0];

	for (unsigned way = 0; way < CACHE_WAYS; way++) {
		if (!set[way])
			return &set[way];
		if (cache_entry_at(cache, set[way])->age < cache_entry_at(cache, *oldest)->age)
			oldest = &set[way];
	}
	return oldest;
}

/* Frees the oldest entry of all; false if there is none. */
static int oldest_evict(struct cache *cache)
{
	uint64_t *oldest = NULL;

	for (unsigned set = 0; set < CACHE_SETS; set++)
		for (unsigned way = 0; way < CACHE_WAYS; way++) {
			uint64_t *slot = &cache->table->sets[set][way];

			if (*slot && (!oldest || cache_entry_at(cache, *slot)->age <
							 cache_entry_at(cache, *oldest)->age))
				oldest = slot;
		}
	return oldest && bheap_free_from(cache->heap, oldest) == 0;
}

/* With the lock held. 0, or -1 with errno. */
static int entry_put(struct cache *cache, const char *key, const char *value)
{
	struct cache_table *table = cache->table;
	size_t key_size = strlen(key), value_size = strlen(value);
	struct cache_entry *entry;
	uint64_t *slot;

	/* Killed from here on, the entry is in "fresh" or free: cache_tidy(). */
	while (!(entry = bheap_alloc_into(cache->heap, &table->fresh,
					  sizeof(*entry) + key_size + value_size)))
		if (errno != ENOMEM || !oldest_evict(cache))
			return -1;
	entry->age = ++table->clock;
	entry->key_size = (uint32_t)key_size;
	entry->value_size = (uint32_t)value_size;
	memcpy(entry->bytes, key, key_size);
	memcpy(entry->bytes + key_size, value, value_size);

	/* Out with the old entry, in with the new: between the two the key is not in the cache. */
	slot = cache_find(cache, key);
	if (!slot)
		slot = slot_choose(cache, cache_set_of(cache, key));
	bheap_free_from(cache->heap, slot);
	__atomic_store_n(slot, table->fresh, __ATOMIC_RELEASE);
	__atomic_store_n(&table->fresh, 0, __ATOMIC_RELEASE);
	return 0;
}

static int put(struct cache *cache, const char *key, const char *value)
{
	int result;

	if (cache_lock(cache))
		return -1;
	result = entry_put(cache, key, value);
	cache_unlock(cache);
	return result;
}

/* Lines of a key, a space, and a value. */
static int put_lines(struct cache *cache, FILE *input)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t length;
	int result = 0;

	while (result == 0 && (length = getline(&line, &room, input)) > 0) {
		char *value;

		if (line[length - 1] == '\n')
			line[length - 1] = '\0';
		value = strchr(line, ' ');
		if (value)
			*value++ = '\0';
		result = put(cache, line, value ? value : "");
	}
	free(line);
	return result || ferror(input) ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct cache cache;

	if (argc != 2 && argc != 4) {
		fprintf(stderr, "Usage: cache_put FILE [KEY VALUE]\n");
		return 2;
	}
	if (cache_open(&cache, argv[1])) {
		fprintf(stderr, "cache_put: %s: %m\n", argv[1]);
		return 1;
	}
	if (argc == 4 ? put(&cache, argv[2], argv[3]) : put_lines(&cache, stdin)) {
		perror("cache_put");
		return 1;
	}
	return bheap_close(cache.heap) ? 1 : 0;
}
