/* SPDX-License-Identifier: MIT */
/*
 * cached.c - see cached.h. A cached block whose mark does not stand was written to, or was freed
 * twice and handed out since: it stays live and is never handed out again.
 */
#include "api/cached.h"

/* ---- a cache, and blocks of one size in it ---- */

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

bool bh_cached_flush_block(struct bh_call *call, uint32_t block, size_t granules)
{
	if (marked_flush(call, block, granules))
		return true;
	if (bh_call_is_full(call))
		return false;
	bh_call_note(call, BHEAP_FAULT_WRITTEN_FREE, bh_core_address(&call->heap->core, block),
		     bh_bytes(granules), "or freed twice");
	return true;
}

void bh_cached_flush_oldest(struct bh_call *call, struct bh_cache *cache, size_t granules,
			    unsigned count)
{
	const struct bh_caches *caches = bh_caches(call->heap);
	uint32_t *first = &cache->places[caches->at[granules]];
	unsigned all = bh_cache_count(caches, cache, granules), kept = 0;

	BH_ASSERT(count <= all);
	for (unsigned index = 0; index < count; index++)
		if (!bh_cached_flush_block(call, first[index], granules))
			first[kept++] = first[index];
	memmove(first + kept, first + count, (all - count) * sizeof(*first));
	bh_cache_move_top(cache, granules, cache->tops[granules] - (count - kept));
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

bool bh_cached_flush(struct bh_call *call, struct bh_cache *cache)
{
	const struct bh_caches *caches = bh_caches(call->heap);
	bool any = false;

	for (size_t granules = 1; granules <= BH_CACHE_GRANULES; granules++) {
		if (!bh_cache_has(caches, cache, granules))
			continue;
		bh_cached_flush_oldest(call, cache, granules,
				       bh_cache_count(caches, cache, granules));
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
	cache->room = cache->granted;
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
	caches->common = 0;
}

/* What it may keep it is granted anew, from little on: where room is short it stays little. */
static bool cache_settle(struct bh_call *call, struct bh_cache *cache)
{
	bool any;

	/* Of this very thread, which a signal handler interrupted. */
	if (BH_UNLIKELY(__atomic_load_n(&cache->busy, __ATOMIC_RELAXED)))
		return false;
	any = bh_cached_flush(call, cache);
	if (!bh_call_is_full(call)) {
		bh_cache_revoke(bh_caches(call->heap), cache);
		memset(cache->batches, 0, sizeof(cache->batches));
		memset(cache->passed, 0, sizeof(cache->passed));
	}
	return any;
}

void bh_cached_close(struct bh_call *call)
{
	if (!call->closed)
		bh_caches_close(bh_caches(call->heap));
	call->closed = true;
}

/* Closes the caches of the heap; false if it has none, or none that may be emptied. */
static bool all_close(struct bh_call *call)
{
	const struct bh_caches *caches;

	if (!bh_handle_is_cached(call->heap))
		return false;
	caches = bh_caches(call->heap);
	bh_cached_inherit(call);
	if (!caches->used || caches->kept)
		return false;
	bh_cached_close(call);
	return true;
}

bool bh_cached_settle(struct bh_call *call)
{
	struct bh_caches *caches;
	bool any = false;

	if (!all_close(call))
		return false;
	caches = bh_caches(call->heap);
	for (uint32_t slot = 0; slot < caches->used; slot++)
		any |= cache_settle(call, bh_cache_at(caches, slot));
	return any;
}

struct bh_cached_count bh_cached_counted(const bheap_t *heap)
{
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cached_count all = {0};

	for (uint32_t slot = 0; slot < caches->used; slot++) {
		const struct bh_cache *cache = bh_cache_at(caches, slot);

		all.calls += cache->pops - cache->fills;
		for (size_t granules = 1; granules <= BH_CACHE_GRANULES; granules++) {
			unsigned count = bh_cache_count(caches, cache, granules);

			all.blocks += count;
			all.granules += count * granules;
		}
	}
	return all;
}

struct bh_cached_count bh_cached_count_closed(struct bh_call *call)
{
	return all_close(call) ? bh_cached_counted(call->heap) : (struct bh_cached_count){0};
}

struct bh_cached_count bh_cached_keep(bheap_t *heap)
{
	bh_caches(heap)->kept = true;
	return bh_cached_counted(heap);
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
	bh_cached_close(call);
	for (uint32_t slot = 0; good && slot < caches->used; slot++)
		good = cache_is_sound(call->heap, bh_cache_at(caches, slot), block);
	return good;
}
