/* SPDX-License-Identifier: MIT */
/*
 * cached.c - see cached.h. A cached block whose mark does not stand was written to, or was freed
 * twice and handed out since: it stays live and is never handed out again.
 */
#include "api/cached.h"

#include "core/alloc.h"

/* The most that a fill takes at once. */
#define BATCH_MAX 15
/* How many blocks of a size are kept at first. */
#define GRANT_FIRST 8
/*
 * Once in so many batches a cache is looked for whose owner has ended, and may a cache be emptied
 * for other sizes.
 */
#define BATCHES_BETWEEN 16

/* ---- a cache, and blocks of one size in it ---- */

static unsigned count_of(const struct bh_caches *caches, const struct bh_cache *cache,
			 size_t granules)
{
	return (unsigned)(cache->tops[granules] - caches->at[granules]);
}

/* Of a number that a fork may have copied at any moment; 0 is none. */
static bool is_live(const struct bh_core *core, uint32_t block)
{
	return block - BH_FIRST < core->bins.span && bh_map_is_live(&core->map, block);
}

/*
 * One block goes back to the heap; false if it does not bear its mark. Between the two stores only
 * caches->flushing tells that the block belongs to no thread: to a process forked there.
 */
static bool marked_flush(struct bh_call *call, uint32_t block, size_t granules)
{
	struct bh_caches *caches = bh_caches(call->heap);
	void *address;

	if (!is_live(&call->heap->core, block))
		return false;
	address = bh_core_address(&call->heap->core, block);
	if (!bh_cache_is_marked(caches, address, granules))
		return false;
	__atomic_store_n(&caches->flushing, block, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	bh_cache_clear_mark(address);
	bh_block_release(call, block);
	__atomic_store_n(&caches->flushing, 0, __ATOMIC_RELEASE);
	return true;
}

/* As above; or it is dropped, and reported. False if it stays, until there is room for a report. */
static bool block_flush(struct bh_call *call, uint32_t block, size_t granules)
{
	if (marked_flush(call, block, granules))
		return true;
	if (bh_call_is_full(call))
		return false;
	bh_call_note(call, BHEAP_FAULT_WRITTEN_FREE, bh_core_address(&call->heap->core, block),
		     bh_bytes(granules), "or it was freed twice; it is not handed out again");
	return true;
}

/* The oldest blocks of a size, in the order in which they were put. */
static void oldest_flush(struct bh_call *call, struct bh_cache *cache, size_t granules,
			 unsigned count)
{
	const struct bh_caches *caches = bh_caches(call->heap);
	uint32_t *first = &cache->places[caches->at[granules]];
	unsigned all = count_of(caches, cache, granules), kept = 0;

	BH_ASSERT(count <= all);
	for (unsigned index = 0; index < count; index++)
		if (!block_flush(call, first[index], granules))
			first[kept++] = first[index];
	memmove(first + kept, first + count, (all - count) * sizeof(*first));
	bh_cache_set_top(cache, granules, cache->tops[granules] - (count - kept));
}

/* Drops those on top whose marks do not stand, so that the owner can go on. */
static void top_verify(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	const struct bh_caches *caches = bh_caches(call->heap);

	while (bh_cache_has(caches, cache, granules)) {
		unsigned top = cache->tops[granules] - 1u;
		uint32_t block = cache->places[top];

		if (bh_cache_is_marked(caches, bh_core_address(&call->heap->core, block),
				       granules) ||
		    !block_flush(call, block, granules))
			return;
		bh_cache_set_top(cache, granules, top);
	}
}

/* Of a flushed cache: each block that it handed out is counted as allocated, and freed before. */
static void counters_settle(const bheap_t *heap, struct bh_cache *cache)
{
	struct bh_control *control = heap->core.control;
	uint64_t calls = cache->pops - cache->fills;

	control->allocations += calls;
	control->frees += calls;
	cache->pops = 0;
	cache->fills = 0;
}

/*
 * All of it but, once the call is full, what is to be reported by another. True if there was
 * anything.
 */
static bool cache_flush(struct bh_call *call, struct bh_cache *cache)
{
	const struct bh_caches *caches = bh_caches(call->heap);
	bool any = false;

	for (size_t granules = 1; granules <= BH_CACHE_GRANULES; granules++) {
		if (!bh_cache_has(caches, cache, granules))
			continue;
		oldest_flush(call, cache, granules, count_of(caches, cache, granules));
		any = true;
	}
	counters_settle(call->heap, cache);
	return any;
}

/* ---- all caches of a heap ---- */

/*
 * The fork may have copied threads in the middle of an operation, and they are gone: what bears its
 * mark is cached, whether a top says so or not, and all else is no fault.
 */
static void cache_inherit(struct bh_call *call, struct bh_cache *cache)
{
	struct bh_caches *caches = bh_caches(call->heap);

	for (size_t granules = 1; granules <= BH_CACHE_GRANULES; granules++)
		for (unsigned at = caches->at[granules]; at < caches->at[granules + 1]; at++)
			marked_flush(call, cache->places[at], granules);
	counters_settle(call->heap, cache);
	bh_cache_revoke(caches, cache);
	memset(cache, 0, sizeof(*cache));
}

/* A block that was on its way. */
static void block_inherit(struct bh_call *call, uint32_t block)
{
	if (!is_live(&call->heap->core, block))
		return;
	bh_cache_clear_mark(bh_core_address(&call->heap->core, block));
	bh_block_release(call, block);
}

/* No thread is the owner of a cache any more. */
void bh_cached_inherit(struct bh_call *call)
{
	struct bh_caches *caches;

	if (BH_LIKELY(bh_caches_are_inherited(call->heap)))
		return;
	caches = bh_caches(call->heap);
	block_inherit(call, caches->flushing);
	if (caches->filling)
		block_inherit(call, call->heap->core.control->pending);
	caches->flushing = 0;
	caches->filling = false;
	for (; caches->used; caches->used--)
		cache_inherit(call, bh_cache_at(caches, caches->used - 1));
}

/* What it may keep it is granted anew, from little on: where room is short it stays little. */
static bool cache_settle(struct bh_call *call, struct bh_cache *cache)
{
	bool any;

	/* Of this very thread, which a signal handler interrupted. */
	if (BH_UNLIKELY(__atomic_load_n(&cache->busy, __ATOMIC_RELAXED)))
		return false;
	any = cache_flush(call, cache);
	if (!bh_call_is_full(call)) {
		bh_cache_revoke(bh_caches(call->heap), cache);
		memset(cache->batches, 0, sizeof(cache->batches));
	}
	return any;
}

bool bh_cached_settle(struct bh_call *call)
{
	struct bh_caches *caches;
	bool any = false;

	if (!bh_handle_is_cached(call->heap))
		return false;
	caches = bh_caches(call->heap);
	bh_cached_inherit(call);
	if (!caches->used || caches->kept)
		return false;
	if (!call->closed)
		bh_caches_close(caches);
	call->closed = true;
	for (uint32_t slot = 0; slot < caches->used; slot++)
		any |= cache_settle(call, bh_cache_at(caches, slot));
	return any;
}

/* What an ended thread left goes back to the heap, and to others. */
static void orphan_flush(struct bh_call *call)
{
	struct bh_caches *caches = bh_caches(call->heap);
	struct bh_cache *cache;

	if (++caches->batches % BATCHES_BETWEEN)
		return;
	cache = bh_cache_find_orphan(call->heap);
	if (!cache)
		return;
	cache_flush(call, cache);
	if (bh_call_is_full(call))
		return;
	bh_cache_revoke(caches, cache);
	cache->owner = 0;
}

struct bh_cached_count bh_cached_keep(bheap_t *heap)
{
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cached_count all = {0};

	caches->kept = true;
	for (uint32_t slot = 0; slot < caches->used; slot++) {
		const struct bh_cache *cache = bh_cache_at(caches, slot);

		all.calls += cache->pops - cache->fills;
		for (size_t granules = 1; granules <= BH_CACHE_GRANULES; granules++) {
			unsigned count = count_of(caches, cache, granules);

			all.blocks += count;
			all.granules += count * granules;
		}
	}
	return all;
}

/* ---- batches ---- */

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

/* None for a size that is asked for once, more each time; as many stay free for the program's own.
 */
static unsigned batch_next(struct bh_caches *caches, struct bh_cache *cache, size_t granules)
{
	unsigned batch = cache->batches[granules], granted;

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

void bh_cached_fill(struct bh_call *call, size_t granules)
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

/* The half of the blocks of a size that was put last stays. */
static void size_halve(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	unsigned count = count_of(bh_caches(call->heap), cache, granules);

	oldest_flush(call, cache, granules, (count + 1) / 2);
}

/* Gives back all that is kept of all sizes: others are in use now. Seldom, for it costs much. */
static bool cache_restart(struct bh_call *call, struct bh_cache *cache)
{
	struct bh_caches *caches = bh_caches(call->heap);

	if (caches->batches - cache->restart < BATCHES_BETWEEN)
		return false;
	cache->restart = caches->batches;
	cache_flush(call, cache);
	if (bh_call_is_full(call))
		return false;
	bh_cache_revoke(caches, cache);
	return true;
}

/*
 * Room for one more block of a size: twice as many may be kept; where the bounds are reached, half
 * of them go.
 */
static bool cache_make_room(struct bh_call *call, struct bh_cache *cache, size_t granules)
{
	struct bh_caches *caches = bh_caches(call->heap);
	unsigned count = count_of(caches, cache, granules);

	if (bh_cache_grant(caches, cache, granules, count ? 2 * count : GRANT_FIRST) > count)
		return true;
	if (!count)
		return cache_restart(call, cache) &&
		       bh_cache_grant(caches, cache, granules, GRANT_FIRST);
	size_halve(call, cache, granules);
	return true;
}

bool bh_cached_put(struct bh_call *call, uint32_t block)
{
	bheap_t *heap = call->heap;
	uint32_t granules = bh_core_granules(&heap->core, block);
	struct bh_cache *cache = granules <= BH_CACHE_GRANULES ? cache_claim(call) : NULL;

	return cache &&
	       (cache->tops[granules] < cache->limits[granules] ||
		cache_make_room(call, cache, granules)) &&
	       bh_cache_push(heap, bh_caches(heap), cache, block, granules);
}

/* ---- verification ---- */

static bool cache_is_sound(const bheap_t *heap, struct bh_cache *cache, uint32_t *block)
{
	const struct bh_caches *caches = bh_caches(heap);

	for (size_t granules = 1; granules <= BH_CACHE_GRANULES; granules++)
		for (unsigned at = caches->at[granules]; at < cache->tops[granules]; at++) {
			*block = cache->places[at];
			if (!is_live(&heap->core, *block) ||
			    !bh_cache_is_marked(caches, bh_core_address(&heap->core, *block),
						granules))
				return false;
		}
	return true;
}

bool bh_cached_verify(struct bh_call *call, uint32_t *block)
{
	struct bh_caches *caches;
	bool good = true;

	if (!bh_handle_is_cached(call->heap))
		return true;
	caches = bh_caches(call->heap);
	bh_cached_inherit(call);
	if (!caches->used)
		return true;
	bh_caches_close(caches);
	call->closed = true;
	for (uint32_t slot = 0; good && slot < caches->used; slot++)
		good = cache_is_sound(call->heap, bh_cache_at(caches, slot), block);
	return good;
}
