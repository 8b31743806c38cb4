/* SPDX-License-Identifier: MIT */
/*
 * cache_put.c - puts keys and values into the cache that cache.h describes; cache_get.c reads them.
 * You can kill either program with SIGKILL at any time: the other one continues.
 *
 *	cc cache_put.c -o cache_put $(pkg-config --cflags --libs libbheap)
 *	./cache_put -s 64k /dev/shm/cache answer 42
 *	generate-lines-of-key-space-value | ./cache_put /dev/shm/cache
 */
#define _POSIX_C_SOURCE 200809L

#include "cache.h"
#include "size.h"

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

/* With the lock held, of an entry that an empty cache has room for. 0, or -1 with errno. */
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

/* An entry that can never fit is refused before any other is evicted for it: errno EFBIG. */
static int put(struct cache *cache, const char *key, const char *value)
{
	size_t size = sizeof(struct cache_entry) + strlen(key) + strlen(value);
	int result;

	if (size > cache->entry_max) {
		fprintf(stderr, "cache_put: an entry of %zu bytes: the cache has room for %zu\n",
			size, cache->entry_max);
		errno = EFBIG;
		return -1;
	}
	if (cache_lock(cache))
		return -1;
	result = entry_put(cache, key, value);
	cache_unlock(cache);
	if (result)
		perror("cache_put");
	return result;
}

/* A key, a space, and a value. */
static int put_line(struct cache *cache, char *line)
{
	char *value = strchr(line, ' ');

	line[strcspn(line, "\n")] = '\0';
	if (value)
		*value++ = '\0';
	return put(cache, line, value ? value : "");
}

/* Lines that are too long are refused, and the next ones put. */
static int put_lines(struct cache *cache, FILE *input)
{
	char *line = NULL;
	size_t room = 0;
	int result = 0;

	while (getline(&line, &room, input) > 0)
		if (put_line(cache, line)) {
			result = -1;
			if (errno != EFBIG)
				break;
		}
	if (ferror(input)) {
		perror("cache_put: standard input");
		result = -1;
	}
	free(line);
	return result;
}

static int usage(void)
{
	fputs("Usage: cache_put [-s SIZE] FILE [KEY VALUE]\n"
	      "Puts VALUE for KEY into the cache in FILE, or lines of both from standard input.\n"
	      "SIZE is that of a new cache (1M), 64k at least; one that is there keeps its own.\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	size_t size = (size_t)1 << 20;
	struct cache cache;
	int option, result;

	while ((option = getopt(argc, argv, "+s:")) != -1)
		if (option != 's' || !size_parse(optarg, &size) || size < CACHE_SIZE_MIN)
			return usage();
	argv += optind;
	argc -= optind;
	if (argc != 1 && argc != 3)
		return usage();
	if (cache_open(&cache, argv[0], size)) {
		fprintf(stderr, "cache_put: %s: %m\n", argv[0]);
		return 1;
	}
	result = argc == 3 ? put(&cache, argv[1], argv[2]) : put_lines(&cache, stdin);
	return bheap_close(cache.heap) || result ? 1 : 0;
}
