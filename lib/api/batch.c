/* SPDX-License-Identifier: MIT */
/*
 * batch.c - see batch.h. A size may keep twice as many blocks each time it has no room, until the
 * bounds are reached. From then on what one size gets another loses, a few at a time, and a thread
 * that has less than its share gets some of what others have.
 */
#include "api/batch.h"

#include "core/alloc.h"

/* The most that a fill takes at once. */
#define BATCH_MAX 15
/* How many blocks of a size are kept at first. */
#define GRANT_FIRST 8
/* Of how many sizes limits are lowered at once. */
#define LOWERED_MAX 4
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
		bh_cache_set_top(cache, granules, top);
	}
}

/* None for a size that is asked for once, more each time; as many stay free for the program's own.
 */
static unsigned batch_next(struct bh_caches *caches, struct bh_cache *cache, size_t granules)
{
	unsigned batch = cache->batches[granules], granted;

	cache->passed[granules] = 0;
	if (batch < BATCH_MAX)
		cache->batches[granules] = (uint8_t)(2 * batch + 1);
	granted = bh_cache_grant(caches, cache, granules, 2 * batch);
	return batch < granted / 2 ? batch : granted / 2;
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
	bh_cache_set_top(to, granules, top + count);
	memmove(first, first + count, left * sizeof(*first));
	bh_cache_set_top(from, granules, from->tops[granules] - count);
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

	if (!bh_cache_is_passed_on(heap, granules))
		return NULL;
	cache = cache_claim(call);
	/* To claim one, a fork's child emptied all. */
	if (!cache || call->closed || !bh_cache_is_passed_on(heap, granules))
		return NULL;
	top_verify(call, cache, granules);
	if (bh_cache_has(caches, cache, granules))
		return NULL;
	common_take(heap, cache, 1 + batch_next(caches, cache, granules), granules);
	return bh_cache_pop(heap, caches, cache, granules);
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
	bh_cache_set_top(cache, granules, caches->at[granules] + count);
}

/* ---- given back to the heap ---- */

/* To other threads, as far as there is room; how many went. */
static unsigned common_put(bheap_t *heap, struct bh_cache *cache, unsigned count, size_t granules)
{
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *common = bh_cache_find_common(heap);
	unsigned has, room;

	if (!common)
		return 0;
	has = bh_cache_count(caches, common, granules);
	room = bh_cache_grant(caches, common, granules, has + count) - has;
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

/*
 * Of a size without room, blocks that were put first go: up to half of them, to other threads, if
 * there are any that work on the heap, or to the heap.
 */
static void size_pass(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	const struct bh_caches *caches = bh_caches(call->heap);
	unsigned count = (bh_cache_count(caches, cache, granules) + 1) / 2;

	if (caches->used > 1) {
		count = passed_next(cache, granules, count);
		count -= common_put(call->heap, cache, count, granules);
	}
	if (count)
		bh_cached_flush_oldest(call, cache, granules, count);
}

/* Half of what a size may keep is taken back. */
static void size_lower(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	struct bh_caches *caches = bh_caches(call->heap);
	unsigned kept = bh_cache_limit(caches, cache, granules) / 2;
	unsigned count = bh_cache_count(caches, cache, granules);

	if (count > kept)
		bh_cached_flush_oldest(call, cache, granules, count - kept);
	count = bh_cache_count(caches, cache, granules);
	bh_cache_lower(caches, cache, granules, count > kept ? count : kept);
}

/* Makes room for a block of a size at the cost of a few others, each in turn. */
static void others_lower(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	for (unsigned left = LOWERED_MAX;
	     left && bh_cache_room(bh_caches(call->heap), cache) < granules; left--) {
		cache->hand = cache->hand % BH_CACHE_GRANULES + 1;
		if (cache->hand != granules)
			size_lower(call, cache, cache->hand);
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
			size_lower(call, cache, granules);
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

/*
 * Room for one more block of a size: twice as many may be kept; where the bounds are reached, fewer
 * of other sizes, or some of them go.
 */
static bool cache_make_room(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	struct bh_caches *caches = bh_caches(call->heap);
	unsigned count = bh_cache_count(caches, cache, granules);
	unsigned wanted = count ? 2 * count : GRANT_FIRST;

	if (bh_cache_grant(caches, cache, granules, wanted) > count)
		return true;
	share_balance(call, cache);
	if (count < GRANT_FIRST)
		others_lower(call, cache, granules);
	if (bh_cache_grant(caches, cache, granules, wanted) > count)
		return true;
	if (!count)
		return false;
	size_pass(call, cache, granules);
	return true;
}

bool bh_batch_put(struct bh_call *call, uint32_t block)
{
	bheap_t *heap = call->heap;
	uint32_t granules = bh_core_granules(&heap->core, block);
	struct bh_cache *cache = granules <= BH_CACHE_GRANULES ? cache_claim(call) : NULL;

	return cache &&
	       (cache->tops[granules] < cache->limits[granules] ||
		cache_make_room(call, cache, granules)) &&
	       bh_cache_push(bh_caches(heap), cache, bh_core_address(&heap->core, block), block,
			     granules);
}
