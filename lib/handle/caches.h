/* SPDX-License-Identifier: MIT */
/*
 * caches.h - the caches of a heap with BHEAP_CACHED: freed small blocks, to be handed out again by
 * the thread that freed them, without a lock or an atomic operation. They lie in the heap's memory,
 * the numbers of the blocks away from the blocks. For the map a cached block is live. Keeps: a
 * block is handed out only while its mark stands.
 */
#ifndef BH_CACHES_H
#define BH_CACHES_H

#include <string.h>
#include <sys/types.h>

#include "handle/handle.h"

/* Largest size of cached blocks, in granules. */
#define BH_CACHE_GRANULES BH_MAP_SMALL_GRANULES
/* Granules that the cached blocks of one thread have at most: 256 KiB. */
#define BH_CACHE_ROOM_MAX 16384
/* The cached blocks of all threads have this part of the heap at most. */
#define BH_CACHE_SHARE 64

/*
 * A thread's cache. The owner alone stores to it while it is busy, and so does who holds the heap's
 * lock while the caches are closed. What only batches change needs the lock: owner, granted, fills,
 * sizes, asked, is_short, hand, batches, passed.
 */
struct bh_cache {
	unsigned busy;    /* atomic: the owner is at work */
	pid_t owner;      /* a thread, 0, or BH_CACHE_COMMON */
	uint32_t room;    /* granules that it may take, of those granted */
	uint32_t granted; /* granules that its blocks may come to */
	uint64_t pops;    /* blocks handed out since the counters were settled */
	uint64_t fills;   /* blocks that came from the heap since then */
	uint64_t sizes;   /* a bit for each size that it was asked to keep: granules - 1 */
	uint32_t asked;   /* granules of a block of each of those */
	unsigned skipped; /* calls that went past it since it was short of room */
	bool is_short;    /* of room: it was granted less than it asked for */
	uint8_t hand;     /* the size that gave up blocks last */
	/* By granules: one past the last place in use. */
	uint16_t tops[BH_CACHE_GRANULES + 1];
	uint8_t batches[BH_CACHE_GRANULES + 1]; /* by granules: how many the next fill takes */
	uint8_t passed[BH_CACHE_GRANULES + 1];  /* how many were passed on last, none taken since */
	uint32_t places[];                      /* the first granules of blocks */
};

/*
 * The owner of the cache that has what threads pass on to each other: no thread's, it is used with
 * the lock held.
 */
#define BH_CACHE_COMMON (-1)

#define BH_CACHE_LINE 64
/* Bits of caches->state. */
enum bh_caches_state {
	BH_CACHES_CLOSED = 1, /* owners keep off: the holder of the lock works on them */
	BH_CACHES_FENCED = 2, /* owners need a fence: bh_barrier_all() does not serve */
};

/* Before the caches. What owners read comes first. */
struct bh_caches {
	unsigned state;                     /* atomic */
	uint32_t seat;                      /* bytes before that of this heap among a thread's */
	uint64_t id;                        /* no other heap of this process ever had it; spread */
	uint64_t key;                       /* of the marks, and of nothing else */
	uint16_t at[BH_CACHE_GRANULES + 2]; /* by granules: the first place */
	/* Under the lock: */
	unsigned generation; /* of the process in which the first cache was claimed, or 0 */
	pid_t process;       /* the same; a child of vfork(2) has its memory, and another number */
	uint32_t slots;      /* caches there is room for */
	uint32_t stride;     /* bytes from one to the next */
	uint32_t used;       /* of them, those that were ever claimed */
	uint32_t next;       /* the one that is looked at next: whether its owner has ended */
	uint32_t common;     /* one more than the slot of the common one, or 0 */
	uint32_t room;       /* granules that may be granted to all */
	uint32_t pool;       /* of them, those that are not */
	uint32_t flushing;   /* the block that is on its way to the heap, or 0 */
	bool filling;        /* control->pending is on its way to a cache */
	unsigned batches;    /* how many there were */
	unsigned balanced;   /* batches when what threads have was balanced last */
	bool kept;           /* the process ends: nothing empties them any more */
};

/*
 * A thread's way to its caches: the few heaps that it used last. A signal handler that uses another
 * heap may take a seat between any two loads or stores of the thread that it interrupts: the tag
 * tells that the cache is one of the heap's, whichever of them wrote which field.
 */
struct bh_cache_seat {
	uint64_t tag; /* bh_cache_tag() */
	struct bh_cache *cache;
	unsigned generation; /* of the process in which it was claimed: fork.h */
};
#define BH_CACHE_SEATS 8

/*
 * Initial exec: memory that the dynamic linker would have to allocate may be this library's to
 * allocate.
 */
extern __thread struct bh_cache_seat bh_cache_seats[BH_CACHE_SEATS]
	__attribute__((tls_model("initial-exec")));

/* Bytes of the caches of a heap of so many granules; in a buffer none for a small one. */
size_t bh_cache_area_size(size_t granules, bool in_buffer);

/* Of a heap that is being made, whose area is zero. */
void bh_caches_init(bheap_t *heap, bool in_buffer);

/*
 * Of an entered heap: this thread's cache, claimed if need be; NULL if there is none left. The rest
 * of what an ended thread had is in it.
 */
struct bh_cache *bh_cache_claim(bheap_t *heap);

/* Of an entered heap with a claimed cache: the common one; NULL if there is no room for it. */
struct bh_cache *bh_cache_find_common(bheap_t *heap);

/* Of an entered heap: a cache of a thread that has ended, to be emptied; or NULL. */
struct bh_cache *bh_cache_find_orphan(bheap_t *heap);

/*
 * Of an entered heap: lets a cache take so many granules more, or as many as the bounds allow; how
 * many that are.
 */
uint32_t bh_cache_grant(struct bh_caches *caches, struct bh_cache *cache, size_t granules);

/* Of an entered heap: takes back half of what was granted, or what it does not hold of that. */
void bh_cache_halve(struct bh_caches *caches, struct bh_cache *cache);

/* Of an entered heap and an empty cache: it may have nothing, until more is granted. */
void bh_cache_revoke(struct bh_caches *caches, struct bh_cache *cache);

/* Of an entered heap: until they are opened again no owner is, or comes, at work. */
void bh_caches_close(struct bh_caches *caches);
void bh_caches_open(struct bh_caches *caches);

/* With a fence; false if the caches are closed. */
bool bh_cache_begin_fenced(const struct bh_caches *caches, struct bh_cache *cache);

/* They lie right behind the handle. */
static inline struct bh_caches *bh_caches(const bheap_t *heap)
{
	uintptr_t start = (uintptr_t)heap + BH_HANDLE_ROOM;

	BH_ASSERT(heap->flags & BHEAP_CACHED);
	return (struct bh_caches *)((start + BH_CACHE_LINE - 1) & ~(uintptr_t)(BH_CACHE_LINE - 1));
}

static inline struct bh_cache *bh_cache_at(struct bh_caches *caches, uint32_t slot)
{
	char *first = (char *)(caches + 1);

	BH_ASSERT(slot < caches->slots);
	first += -(uintptr_t)first & (BH_CACHE_LINE - 1);
	return (struct bh_cache *)(void *)(first + (size_t)slot * caches->stride);
}

/* True if calls may use them: no limit is set, and no walk is under way. */
static inline bool bh_caches_are_on(const bheap_t *heap)
{
	return bh_handle_skips(heap) == BH_SKIP_LOCK_CACHED;
}

/*
 * Of an entered heap: false in the child of a fork until it has what the parent's threads had under
 * way, before which no block may be allocated.
 */
static inline bool bh_caches_are_inherited(const bheap_t *heap)
{
	return !bh_handle_is_cached(heap) || !bh_caches(heap)->used ||
	       bh_caches(heap)->generation == bh_fork_generation();
}

/* True if their owners need a fence. */
static inline bool bh_caches_are_fenced(const bheap_t *heap)
{
	return __atomic_load_n(&bh_caches(heap)->state, __ATOMIC_RELAXED) & BH_CACHES_FENCED;
}

/* ---- marks ---- */

/* The first bytes of a block, whatever the program keeps there. */
typedef uint64_t __attribute__((may_alias)) bh_cache_word;

/*
 * Of a block of so many granules: a place that a second free left behind may name a block that
 * starts there and has another size now.
 */
static inline uint64_t bh_cache_mark(const struct bh_caches *caches, const void *block,
				     size_t granules)
{
	return caches->key ^ (uintptr_t)block ^ (uint64_t)granules << 56;
}

/* True if a live block bears its mark: some thread's cache has it. */
static inline bool bh_cache_is_marked(const struct bh_caches *caches, const void *block,
				      size_t granules)
{
	return BH_UNLIKELY(*(const bh_cache_word *)block == bh_cache_mark(caches, block, granules));
}

static inline void bh_cache_set_mark(const struct bh_caches *caches, void *block, size_t granules)
{
	*(bh_cache_word *)block = bh_cache_mark(caches, block, granules);
}

static inline void bh_cache_clear_mark(void *block)
{
	*(bh_cache_word *)block = 0;
}

/* ---- the owner ---- */

/* This thread's seat for a heap, which other heaps may have, too. */
static inline struct bh_cache_seat *bh_cache_seat(const struct bh_caches *caches)
{
	return (struct bh_cache_seat *)(void *)((char *)bh_cache_seats + caches->seat);
}

/* Of these caches and this one of them, and of no other two: their ids differ in all bits. */
static inline uint64_t bh_cache_tag(const struct bh_caches *caches, const struct bh_cache *cache)
{
	return caches->id ^ (uintptr_t)cache;
}

/* This thread's cache, if it has one and knows it. */
static inline struct bh_cache *bh_cache_own(const struct bh_caches *caches)
{
	const struct bh_cache_seat *seat = bh_cache_seat(caches);
	/* One load: what is returned is what the tag is of. */
	struct bh_cache *cache = __atomic_load_n(&seat->cache, __ATOMIC_RELAXED);

	if (BH_UNLIKELY(seat->tag != bh_cache_tag(caches, cache)) ||
	    BH_UNLIKELY(seat->generation != bh_fork_generation()))
		return NULL;
	/* It costs the callers no test. */
	BH_ASSUME(cache);
	return cache;
}

/*
 * False if the caches are closed, or if the owner needs a fence, which then calls
 * bh_cache_begin_fenced(). The handshake is explained in doc/architecture.md.
 */
static inline bool bh_cache_begin(const struct bh_caches *caches, struct bh_cache *cache)
{
	__atomic_store_n(&cache->busy, 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (BH_LIKELY(!__atomic_load_n(&caches->state, __ATOMIC_ACQUIRE)))
		return true;
	__atomic_store_n(&cache->busy, 0, __ATOMIC_RELEASE);
	return false;
}

static inline void bh_cache_end(struct bh_cache *cache)
{
	__atomic_store_n(&cache->busy, 0, __ATOMIC_RELEASE);
}

/*
 * After a store to a top a fork copies a cache of which each place in use is one of a block that
 * has its mark, and no block that the program has.
 */
static inline void bh_cache_set_top(struct bh_cache *cache, size_t granules, unsigned top)
{
	__atomic_store_n(&cache->tops[granules], (uint16_t)top, __ATOMIC_RELEASE);
}

/* The same with the lock held, after any number of blocks came or went. */
static inline void bh_cache_move_top(struct bh_cache *cache, size_t granules, unsigned top)
{
	cache->room -= (top - cache->tops[granules]) * (uint32_t)granules;
	bh_cache_set_top(cache, granules, top);
}

/* Blocks of a size that a cache has. */
static inline unsigned bh_cache_count(const struct bh_caches *caches, const struct bh_cache *cache,
				      size_t granules)
{
	return (unsigned)(cache->tops[granules] - caches->at[granules]);
}

static inline bool bh_cache_has(const struct bh_caches *caches, const struct bh_cache *cache,
				size_t granules)
{
	return cache->tops[granules] != caches->at[granules];
}

/* Of a busy owner: the block that was put last, or NULL: none, or its mark does not stand. */
static inline void *bh_cache_pop(const bheap_t *heap, const struct bh_caches *caches,
				 struct bh_cache *cache, size_t granules)
{
	unsigned top = cache->tops[granules];
	void *block;

	if (BH_UNLIKELY(top == caches->at[granules]))
		return NULL;
	block = bh_core_address(&heap->core, cache->places[top - 1]);
	if (BH_UNLIKELY(!bh_cache_is_marked(caches, block, granules)))
		return NULL;
	bh_cache_set_top(cache, granules, top - 1);
	bh_cache_clear_mark(block);
	cache->room += (uint32_t)granules;
	cache->pops++;
	return block;
}

/*
 * Of a busy owner, or with the lock held: false if there is no room, or if the block bears its mark
 * already.
 */
static inline bool bh_cache_push(const struct bh_caches *caches, struct bh_cache *cache, void *ptr,
				 uint32_t block, size_t granules)
{
	unsigned top = cache->tops[granules];

	if (BH_UNLIKELY(top >= caches->at[granules + 1]) || BH_UNLIKELY(cache->room < granules) ||
	    bh_cache_is_marked(caches, ptr, granules))
		return false;
	bh_cache_set_mark(caches, ptr, granules);
	cache->places[top] = block;
	bh_cache_set_top(cache, granules, top + 1);
	cache->room -= (uint32_t)granules;
	return true;
}

/* A constant of each caller. */
typedef bool bh_cache_begin_fn(const struct bh_caches *caches, struct bh_cache *cache);

/* A block of so many granules, 1 to BH_CACHE_GRANULES, from this thread's cache; or NULL. */
static BH_ALWAYS_INLINE void *bh_cache_take(const bheap_t *heap, size_t granules,
					    bh_cache_begin_fn *begin)
{
	const struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *cache = bh_cache_own(caches);
	void *block;

	if (BH_UNLIKELY(!cache) || BH_UNLIKELY(!begin(caches, cache)))
		return NULL;
	block = bh_cache_pop(heap, caches, cache, granules);
	bh_cache_end(cache);
	return block;
}

/*
 * Puts the live block at ptr into this thread's cache; false if that is not possible, or if a cache
 * has it already.
 */
static BH_ALWAYS_INLINE bool bh_cache_put(const bheap_t *heap, void *ptr, uint32_t block,
					  size_t granules, bh_cache_begin_fn *begin)
{
	const struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *cache = bh_cache_own(caches);
	bool done;

	if (BH_UNLIKELY(!cache) || BH_UNLIKELY(!begin(caches, cache)))
		return false;
	done = bh_cache_push(caches, cache, ptr, block, granules);
	bh_cache_end(cache);
	return done;
}

/*
 * Granules of the live block that starts at an address, found without the lock: 0 if none does, or
 * if it is larger than cached blocks. Of the map only what its owner alone can change is read.
 */
static inline uint32_t bh_cache_granules_of(const bheap_t *heap, const void *ptr)
{
	uint32_t block = bh_core_granule(&heap->core, ptr);

	return BH_LIKELY(block) ? bh_map_small_granules(&heap->core.map, block) : 0;
}

/*
 * True if this thread's cache may hold so few blocks of each size, and is granted no more, that a
 * call does better without it. Now and then it is asked all the same: room may have come.
 */
bool bh_cache_is_bypassed(const bheap_t *heap);

/* Of an entered heap: true if threads passed on a block of a size. */
static inline bool bh_cache_is_passed_on(const bheap_t *heap, size_t granules)
{
	struct bh_caches *caches = bh_caches(heap);

	return caches->common && granules <= BH_CACHE_GRANULES &&
	       bh_cache_has(caches, bh_cache_at(caches, caches->common - 1), granules);
}

/* True if the program freed a live block already: it is in a cache. */
static inline bool bh_cache_holds(const bheap_t *heap, uint32_t block, uint32_t granules)
{
	return bh_handle_is_cached(heap) && granules <= BH_CACHE_GRANULES &&
	       bh_cache_is_marked(bh_caches(heap), bh_core_address(&heap->core, block), granules);
}

#endif
