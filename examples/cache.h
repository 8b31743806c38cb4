/* SPDX-License-Identifier: MIT */
/*
 * cache.h - a cache that processes share: keys and values in a heap in a file. cache_put and
 * cache_get both use this code; any number of them may run at once, and any may be killed.
 *
 * The heap's root is the table: sets of a few slots. Each key belongs in one set. A slot stores the
 * offset of an entry, because addresses differ between processes. An entry is allocated into the
 * slot "fresh" and filled in there. Only then is its offset stored in a set, so each entry in a
 * set is complete.
 */
#ifndef CACHE_H
#define CACHE_H

#include <bheap.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_SIZE_MIN ((size_t)64 << 10) /* of the file, the budget: table, and some entries */
#define CACHE_SETS 256
#define CACHE_WAYS 8

struct cache_entry {
	uint64_t age; /* of the table's clock when it was put or got */
	uint32_t key_size, value_size;
	char bytes[]; /* the key, then the value */
};

struct cache_table {
	pthread_mutex_t lock;
	uint64_t ready; /* 0 until there is a lock */
	uint64_t clock;
	uint64_t fresh; /* an entry that is not whole yet */
	uint64_t sets[CACHE_SETS][CACHE_WAYS];
};

struct cache {
	bheap_t *heap;
	struct cache_table *table;
	size_t entry_max; /* bytes of the largest entry that an empty cache has room for */
};

static inline struct cache_entry *cache_entry_at(const struct cache *cache, uint64_t slot)
{
	return bheap_pointer(cache->heap, slot);
}

/* ---- the lock ---- */

/*
 * The holder of the lock died. The heap is sound in any case; of the table only "fresh" can be
 * incomplete: its entry was not told to a place yet, or was, and not yet forgotten here.
 */
static inline void cache_tidy(struct cache *cache)
{
	struct cache_table *table = cache->table;

	for (unsigned set = 0; set < CACHE_SETS; set++)
		for (unsigned way = 0; way < CACHE_WAYS; way++)
			if (table->sets[set][way] == table->fresh)
				table->fresh = 0;
	bheap_free_from(cache->heap, &table->fresh);
}

static inline int cache_lock(struct cache *cache)
{
	int error = pthread_mutex_lock(&cache->table->lock);

	if (error == EOWNERDEAD) {
		cache_tidy(cache);
		error = pthread_mutex_consistent(&cache->table->lock);
	}
	errno = error;
	return error ? -1 : 0;
}

static inline void cache_unlock(struct cache *cache)
{
	pthread_mutex_unlock(&cache->table->lock);
}

static inline int cache_lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;
	int error = pthread_mutexattr_init(&attributes);

	if (error)
		return error;
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	error = pthread_mutex_init(lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	return error;
}

/* ---- opening ---- */

/* The table, a block of zero bytes where it is new, gets its lock. */
static inline int cache_make(bheap_t *heap)
{
	struct cache_table *table = bheap_root_alloc(heap, sizeof(*table));
	int error;

	if (!table)
		return -1;
	if (!table->ready) {
		error = cache_lock_init(&table->lock);
		if (error) {
			errno = error;
			return -1;
		}
		table->ready = 1;
	}
	return 0;
}

/* The bytes of a file; 0 with errno ENODATA if it has none. */
static inline size_t cache_file_size(int fd)
{
	struct stat status;

	if (fstat(fd, &status))
		return 0;
	errno = ENODATA;
	return (size_t)status.st_size;
}

/* With the file locked. An empty file is made a cache of this size; 0: it is left as it is. */
static inline bheap_t *cache_heap_open(int fd, size_t size)
{
	size_t file_size = cache_file_size(fd);
	bheap_t *heap;

	if (!file_size && !size)
		return NULL;
	heap = bheap_open_fd(fd, file_size ? 0 : size, 0);
	if (heap && cache_make(heap)) {
		int saved = errno;

		bheap_close(heap);
		errno = saved;
		return NULL;
	}
	return heap;
}

/* The table lies at one end of the heap, so that the rest is one piece when no entry is left. */
static inline int cache_measure(struct cache *cache)
{
	struct bheap_stats stats;

	if (bheap_stats(cache->heap, &stats))
		return -1;
	cache->table = bheap_root(cache->heap);
	cache->entry_max = stats.size - bheap_usable_size(cache->heap, cache->table);
	if (cache->entry_max > UINT32_MAX)
		cache->entry_max = UINT32_MAX;
	return 0;
}

/*
 * Attaches to the cache in a file. Where there is none, one of size bytes is made first: by one
 * process, which the lock on the file sees to. size 0: none is made. 0, or -1 with errno.
 */
static inline int cache_open(struct cache *cache, const char *path, size_t size)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | (size ? O_CREAT : 0), 0600), saved;

	if (fd < 0)
		return -1;
	cache->heap = flock(fd, LOCK_EX) ? NULL : cache_heap_open(fd, size);
	saved = errno;
	close(fd); /* and with it goes the lock; the heap has a descriptor of its own */
	errno = saved;
	return cache->heap ? cache_measure(cache) : -1;
}

/* ---- keys ---- */

static inline uint64_t *cache_set_of(struct cache *cache, const char *key)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	while (*key)
		hash = (hash ^ (unsigned char)*key++) * UINT64_C(1099511628211);
	return cache->table->sets[(hash ^ hash >> 32) % CACHE_SETS];
}

/* The slot of a key, or NULL. With the lock held. */
static inline uint64_t *cache_find(struct cache *cache, const char *key)
{
	uint64_t *set = cache_set_of(cache, key);
	size_t size = strlen(key);

	for (unsigned way = 0; way < CACHE_WAYS; way++) {
		const struct cache_entry *entry = cache_entry_at(cache, set[way]);

		if (entry && entry->key_size == size && memcmp(entry->bytes, key, size) == 0)
			return &set[way];
	}
	return NULL;
}

#endif
