/* SPDX-License-Identifier: MIT */
/*
 * batch.c - see batch.h. A cache may hold more each time it has no room, until the bounds are
 * reached. From then on what one size gets another loses, a few at a time, and a thread that has
 * less than its share gets some of what others have.
 */
#include "api/batch.h"

#include "core/alloc.h"

/* The most that a fill takes at once. */
#define BATCH_MAX 15
/* At the bounds, room is made for so many blocks at once. */
#define ROOM_BLOCKS 4
/* Of how many sizes blocks go at once. */
#define SIZES_MAX 4
/* Once in so many batches a cache is looked for whose owner has ended. */
#define BATCHES_OF_ORPHAN 16
/* And once in so many the caches of others are closed: that interrupts their threads. */
#define BATCHES_OF_SHARE 64

/* What an ended thread left goes back to the heap, and to others. */
static void orphan_flush(struct bh_call *call)
{
	struct bh_caches *caches = bh_caches(call->heap);
	struct bh_cache *cache;

	if (++caches->batches % BATCHES_OF_ORPHAN)
		return;
	cache = bh_cache_find_orphan(call->heap);
	if (!cache)
		return;
	bh_cached_flush(call, cache);
	if (bh_call_is_full(call))
		return;
	bh_cache_revoke(caches, cache);
	cache->owner = 0;
}

/* This thread's cache, which no one else works on while the lock is held; or NULL. */
static struct bh_cache *cache_claim(struct bh_call *call)
{
	if (!bh_handle_is_cached(call->heap) || bh_handle_skips(call->heap) == BH_SKIP_LOCK_NEVER ||
	    bh_call_is_full(call))
		return NULL;
	bh_cached_inherit(call);
	orphan_flush(call);
	return bh_cache_claim(call->heap);
}

/* Blocks of a size that a cache has places for. */
static unsigned places_count(const struct bh_caches *caches, size_t granules)
{
	return (unsigned)(caches->at[granules + 1] - caches->at[granules]);
}

/* ---- taken from the heap ---- */

/* Drops those on top whose marks do not stand, so that the owner can go on. */
static void top_verify(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	const struct bh_caches *caches = bh_caches(call->heap);

	while (bh_cache_has(caches, cache, granules)) {
		unsigned top = cache->tops[granules] - 1u;
		uint32_t block = cache->places[top];

		if (bh_cache_is_marked(caches, bh_core_address(&call->heap->core, block),
				       granules) ||
		    !bh_cached_flush_block(call, block, granules))
			return;
		bh_cache_move_top(cache, granules, top);
	}
}

/* None for a size that is asked for once, more each time; as many stay free for the program's own.
 */
static unsigned batch_next(struct bh_caches *caches, struct bh_cache *cache, size_t granules)
{
	unsigned batch = cache->batches[granules], most = places_count(caches, granules);
	uint32_t room;

	cache->passed[granules] = 0;
	if (batch < BATCH_MAX)
		cache->batches[granules] = (uint8_t)(2 * batch + 1);
	room = bh_cache_grant(caches, cache, 2 * batch * granules) / (uint32_t)granules;
	most = most < room ? most : room;
	return batch < most / 2 ? batch : most / 2;
}

/*
 * Into the places of an empty size, from the last to the first: the block made first is handed out
 * first, so that neighbours in time stay neighbours in memory. Each has its place at once, for a
 * fork. How many there were.
 */
static unsigned batch_take(bheap_t *heap, uint32_t *places, unsigned wanted, size_t granules)
{
	struct bh_caches *caches = bh_caches(heap);
	unsigned left = wanted;
	uint32_t block;

	heap->core.control->pending = 0;
	__atomic_store_n(&caches->filling, true, __ATOMIC_RELEASE);
	while (left && (block = bh_alloc_block(&heap->core, granules))) {
		places[--left] = block;
		bh_cache_set_mark(caches, bh_core_address(&heap->core, block), granules);
	}
	__atomic_store_n(&caches->filling, false, __ATOMIC_RELEASE);
	memmove(places, places + left, (wanted - left) * sizeof(*places));
	return wanted - left;
}

/*
 * Of one size: the oldest blocks of a cache go on top of another's. In the child of a fork both may
 * have them: their marks tell that they are cached.
 */
static void oldest_pass(const struct bh_caches *caches, struct bh_cache *from, struct bh_cache *to,
			unsigned count, size_t granules)
{
	unsigned left = bh_cache_count(caches, from, granules) - count, top = to->tops[granules];
	uint32_t *first = &from->places[caches->at[granules]];

	BH_ASSERT(top + count <= caches->at[granules + 1]);
	memcpy(&to->places[top], first, count * sizeof(*first));
	bh_cache_move_top(to, granules, top + count);
	memmove(first, first + count, left * sizeof(*first));
	bh_cache_move_top(from, granules, from->tops[granules] - count);
}

/* What other threads passed on goes into the places of an empty size. */
static void common_take(bheap_t *heap, struct bh_cache *cache, unsigned wanted, size_t granules)
{
	struct bh_cache *common = bh_cache_find_common(heap);
	unsigned count = bh_cache_count(bh_caches(heap), common, granules);

	oldest_pass(bh_caches(heap), common, cache, count < wanted ? count : wanted, granules);
}

void *bh_batch_take(struct bh_call *call, size_t granules)
{
	bheap_t *heap = call->heap;
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *cache;
	void *block;

	if (!bh_cache_is_passed_on(heap, granules))
		return NULL;
	cache = cache_claim(call);
	/* To claim one, a fork's child emptied all. */
	if (!cache || call->closed || !bh_cache_is_passed_on(heap, granules))
		return NULL;
	top_verify(call, cache, granules);
	top_verify(call, bh_cache_find_common(heap), granules);
	block = bh_cache_pop(heap, caches, bh_cache_find_common(heap), granules);
	if (!bh_cache_has(caches, cache, granules))
		common_take(heap, cache, batch_next(caches, cache, granules), granules);
	return block;
}

void bh_batch_fill(struct bh_call *call, size_t granules)
{
	bheap_t *heap = call->heap;
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *cache = granules <= BH_CACHE_GRANULES ? cache_claim(call) : NULL;
	unsigned wanted, count;

	if (!cache || call->closed)
		return;
	top_verify(call, cache, granules);
	wanted = batch_next(caches, cache, granules);
	if (bh_cache_has(caches, cache, granules))
		return;
	count = batch_take(heap, &cache->places[caches->at[granules]], wanted, granules);
	cache->fills += count;
	bh_cache_move_top(cache, granules, caches->at[granules] + count);
}

/* ---- given back to the heap ---- */

/* To other threads, as far as there is room; how many went. */
static unsigned common_put(bheap_t *heap, struct bh_cache *cache, unsigned count, size_t granules)
{
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *common = bh_cache_find_common(heap);
	uint32_t room;
	unsigned places;

	if (!common)
		return 0;
	places = places_count(caches, granules) - bh_cache_count(caches, common, granules);
	count = count < places ? count : places;
	room = bh_cache_grant(caches, common, count * granules) / (uint32_t)granules;
	count = count < room ? count : room;
	oldest_pass(caches, cache, common, count, granules);
	return count;
}

/*
 * How many blocks of a size are passed on: one at first, one more each time as long as none is
 * taken back. What comes and goes at random needs few.
 */
static unsigned passed_next(struct bh_cache *cache, size_t granules, unsigned most)
{
	unsigned count = cache->passed[granules] + 1u;

	count = count < most ? count : most;
	cache->passed[granules] = (uint8_t)count;
	cache->batches[granules] = 0;
	return count;
}

/* Of a size, so many blocks that were put first go to the heap, or to others that work on it. */
static void oldest_give(struct bh_call *call, struct bh_cache *cache, size_t granules,
			unsigned count)
{
	if (bh_caches(call->heap)->used > 1)
		count -= common_put(call->heap, cache, count, granules);
	if (count)
		bh_cached_flush_oldest(call, cache, granules, count);
}

/* Of a size that has no place left. */
static void size_give(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	const struct bh_caches *caches = bh_caches(call->heap);
	unsigned count = (bh_cache_count(caches, cache, granules) + 1) / 2;

	if (caches->used > 1)
		count = passed_next(cache, granules, count);
	oldest_give(call, cache, granules, count);
}

/* Of a cache that holds what it may: a quarter of the blocks of a few sizes, each in turn. */
static void sizes_give(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	const struct bh_caches *caches = bh_caches(call->heap);
	unsigned left = SIZES_MAX;

	for (unsigned tries = BH_CACHE_GRANULES; tries && left; tries--) {
		unsigned count;

		if (cache->room >= ROOM_BLOCKS * granules)
			return;
		cache->hand = (uint8_t)(cache->hand % BH_CACHE_GRANULES + 1);
		count = bh_cache_count(caches, cache, cache->hand);
		left -= count > 0;
		oldest_give(call, cache, cache->hand, (count + 3) / 4);
	}
}

/* True if some cache may have more than its share. */
static bool share_is_exceeded(struct bh_caches *caches, uint32_t share)
{
	bool exceeded = false;

	for (uint32_t slot = 0; slot < caches->used; slot++)
		exceeded |= bh_cache_at(caches, slot)->granted > share;
	return exceeded;
}

/* Half of what is granted to each cache that has more than its share goes back. */
static void share_take(struct bh_call *call, const struct bh_cache *own, uint32_t share)
{
	struct bh_caches *caches = bh_caches(call->heap);

	bh_cached_close(call);
	for (uint32_t slot = 0; slot < caches->used; slot++) {
		struct bh_cache *cache = bh_cache_at(caches, slot);

		if (cache == own || cache->granted <= share)
			continue;
		for (size_t granules = 1; granules <= BH_CACHE_GRANULES; granules++)
			bh_cached_flush_oldest(call, cache, granules,
					       (bh_cache_count(caches, cache, granules) + 1) / 2);
		bh_cache_halve(caches, cache);
	}
}

/* For a cache that was granted less than it wants. */
static void share_balance(struct bh_call *call, struct bh_cache *cache)
{
	struct bh_caches *caches = bh_caches(call->heap);
	uint32_t share = caches->room / caches->used;

	if (cache->granted >= share / 2 || caches->batches - caches->balanced < BATCHES_OF_SHARE)
		return;
	caches->balanced = caches->batches;
	if (share_is_exceeded(caches, share))
		share_take(call, cache, share);
}

/* Counts a size among those that the cache is for. */
static void size_note(struct bh_cache *cache, size_t granules)
{
	uint64_t bit = UINT64_C(1) << (granules - 1);

	if (cache->sizes & bit)
		return;
	cache->sizes |= bit;
	cache->asked += (uint32_t)granules;
}

/* Room for one more block of a size, if that can be. */
static void cache_make_room(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	struct bh_caches *caches = bh_caches(call->heap);

	size_note(cache, granules);
	if (cache->tops[granules] == caches->at[granules + 1])
		size_give(call, cache, granules);
	if (bh_cache_grant(caches, cache, granules) >= granules)
		return;
	share_balance(call, cache);
	if (bh_cache_grant(caches, cache, granules) < granules)
		sizes_give(call, cache, granules);
}

bool bh_batch_put(struct bh_call *call, uint32_t block)
{
	bheap_t *heap = call->heap;
	const struct bh_caches *caches;
	uint32_t granules = bh_core_granules(&heap->core, block);
	struct bh_cache *cache = granules <= BH_CACHE_GRANULES ? cache_claim(call) : NULL;

	if (!cache)
		return false;
	caches = bh_caches(heap);
	if (cache->tops[granules] == caches->at[granules + 1] || cache->room < granules)
		cache_make_room(call, cache, granules);
	return bh_cache_push(caches, cache, bh_core_address(&heap->core, block), block, granules);
}
