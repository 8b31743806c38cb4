/* SPDX-License-Identifier: MIT */
/*
 * caches.c - the caches of a heap: which thread has which, and the handshake that closes them. A
 * cache outlives its thread, whose end nobody has to tell: the next thread takes it over with what
 * is in it, and whoever needs the blocks empties it as any other.
 */
#include "handle/caches.h"

#include <unistd.h>

#include "os/barrier.h"
#include "os/secret.h"
#include "os/thread.h"
#include "os/wait.h"

/*
 * In a buffer the caches are to take 0.6 per cent of it: small ones in a small buffer. In a
 * mapping they take memory only as they are used.
 */
#define SCALE_MAX 2
#define SMALL_GRANULES ((size_t)4 << 20 >> BH_GRANULE_SHIFT)
#define MIDDLE_GRANULES ((size_t)32 << 20 >> BH_GRANULE_SHIFT)
/* A cache for so much of a small buffer; the first one for half of it. */
#define SLOT_GRANULES ((size_t)512 << 10 >> BH_GRANULE_SHIFT)
#define SLOTS_MAPPED 4 /* for one in a buffer; and no fewer, and the common one */
#define SLOTS_MAX 256

/* What is granted at once beyond what is wanted, as a part of what was granted. */
#define GRANT_PART 4
/* Fewer blocks of each size than this are not worth batches. */
#define BYPASS_BELOW 8
/* One call in so many asks a bypassed cache for more. */
#define BYPASSES 16

/* Odd: multiples of it differ, also in their upper half, where addresses are alike. */
#define ID_STEP UINT64_C(0x9e3779b97f4a7c15)

/* An owner is busy for some nanoseconds, unless it was interrupted. */
#define NAP 20000

__thread struct bh_cache_seat bh_cache_seats[BH_CACHE_SEATS]
	__attribute__((tls_model("initial-exec")));

/* By how many powers of two the caches are smaller than the largest. */
static unsigned scale_of(size_t granules)
{
	if (granules < SMALL_GRANULES)
		return SCALE_MAX;
	return granules < MIDDLE_GRANULES ? 1 : 0;
}

static size_t slots_of(size_t granules, bool in_buffer)
{
	size_t slots = granules / (SLOT_GRANULES << (SCALE_MAX - scale_of(granules)));

	if (!slots && granules >= SLOT_GRANULES / 2)
		slots = 1;
	if (!in_buffer)
		slots = (slots ? SLOTS_MAPPED * slots : SLOTS_MAPPED) + 1;
	return slots < SLOTS_MAX ? slots : SLOTS_MAX;
}

/* Blocks of a size that a cache has places for: 16 KiB, but 32 to 64 blocks. */
static unsigned capacity(unsigned granules, unsigned scale)
{
	unsigned count = 1024 / granules;

	if (count < 32)
		count = 32;
	return (count < 64 ? count : 64) >> scale;
}

/* Divides the places of a cache among the sizes, in an array like caches->at. */
static void places_divide(uint16_t *at, unsigned scale)
{
	at[0] = at[1] = 0;
	for (unsigned granules = 1; granules <= BH_CACHE_GRANULES; granules++)
		at[granules + 1] = (uint16_t)(at[granules] + capacity(granules, scale));
}

/* From one cache to the next: no two share a line of a processor's cache. */
static size_t stride_of(const uint16_t *at)
{
	return bh_round_up(offsetof(struct bh_cache, places) +
				   at[BH_CACHE_GRANULES + 1] * sizeof(uint32_t),
			   BH_CACHE_LINE);
}

size_t bh_cache_area_size(size_t granules, bool in_buffer)
{
	uint16_t at[BH_CACHE_GRANULES + 2];

	places_divide(at, scale_of(granules));
	return sizeof(struct bh_caches) + 2 * BH_CACHE_LINE +
	       slots_of(granules, in_buffer) * stride_of(at);
}

/*
 * A heap in a buffer is made without a system call. Its blocks may have marks of an earlier heap at
 * this place, which are not those of its own key.
 */
void bh_caches_init(bheap_t *heap, bool in_buffer)
{
	static uint64_t heaps;
	uint64_t number = __atomic_add_fetch(&heaps, 1, __ATOMIC_RELAXED);
	struct bh_caches *caches = bh_caches(heap);
	size_t space = (size_t)((char *)heap->core.control - (char *)(caches + 1)) - BH_CACHE_LINE;
	size_t size = in_buffer ? bh_core_size(&heap->core) : heap->region.size;

	caches->id = number * ID_STEP;
	caches->seat = (uint32_t)(number % BH_CACHE_SEATS * sizeof(struct bh_cache_seat));
	caches->key = in_buffer ? bh_secret_derived(BH_SECRET_MARKS, number)
				: bh_secret_random(BH_SECRET_MARKS, number);
	places_divide(caches->at, scale_of(size >> BH_GRANULE_SHIFT));
	caches->stride = (uint32_t)stride_of(caches->at);
	caches->slots = (uint32_t)(space / caches->stride);
}

/* ---- claims ---- */

/* The process's first claim, and the first one in a child. */
static void caches_begin(const bheap_t *heap, struct bh_caches *caches)
{
	if (caches->generation == bh_fork_generation_begin())
		return;
	BH_ASSERT(!caches->used);
	__atomic_store_n(&caches->state, bh_barrier_prepare() ? 0 : BH_CACHES_FENCED,
			 __ATOMIC_RELEASE);
	caches->room = (uint32_t)(bh_handle_size(heap) / BH_GRANULE / BH_CACHE_SHARE);
	caches->pool = caches->room;
	caches->process = getpid();
	caches->generation = bh_fork_generation();
}

static struct bh_cache *cache_of(struct bh_caches *caches, pid_t owner)
{
	for (uint32_t slot = 0; slot < caches->used; slot++)
		if (bh_cache_at(caches, slot)->owner == owner)
			return bh_cache_at(caches, slot);
	return NULL;
}

struct bh_cache *bh_cache_find_orphan(bheap_t *heap)
{
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *cache;

	if (caches->next >= caches->used)
		caches->next = 0;
	if (!caches->used)
		return NULL;
	cache = bh_cache_at(caches, caches->next++);
	if (cache->owner <= 0 || cache == bh_cache_own(caches) ||
	    !bh_thread_is_gone(caches->process, cache->owner))
		return NULL;
	/* What it did last was to mark its cache idle. */
	(void)__atomic_load_n(&cache->busy, __ATOMIC_ACQUIRE);
	return cache;
}

/* Where there are many, the common one has its own. */
static bool has_common(const struct bh_caches *caches)
{
	return caches->slots > SLOTS_MAPPED;
}

/* Slots that threads may still take. */
static uint32_t slots_left(const struct bh_caches *caches)
{
	return caches->slots - caches->used - (has_common(caches) && !caches->common);
}

static struct bh_cache *cache_make(struct bh_caches *caches)
{
	struct bh_cache *cache;

	cache = bh_cache_at(caches, caches->used);
	memcpy(cache->tops, caches->at, sizeof(cache->tops));
	caches->used++;
	return cache;
}

struct bh_cache *bh_cache_find_common(bheap_t *heap)
{
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *cache;

	if (caches->common)
		return bh_cache_at(caches, caches->common - 1);
	if (!has_common(caches))
		return NULL;
	cache = cache_make(caches);
	cache->owner = BH_CACHE_COMMON;
	caches->common = caches->used;
	return cache;
}

/*
 * With that of a thread that ended no thread is at work. Where all are taken, a thread without one
 * comes here with every call, and asks about one owner each time.
 */
static struct bh_cache *cache_find(bheap_t *heap, pid_t owner)
{
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *cache = cache_of(caches, owner);
	uint32_t tries = slots_left(caches) ? caches->used : 1;

	if (!cache)
		cache = cache_of(caches, 0);
	for (; !cache && tries; tries--)
		cache = bh_cache_find_orphan(heap);
	return cache || !slots_left(caches) ? cache : cache_make(caches);
}

/* The generation last: if a signal handler forks in between, the child knows no cache. */
static void seat_take(const struct bh_caches *caches, struct bh_cache *cache)
{
	struct bh_cache_seat *seat = bh_cache_seat(caches);

	__atomic_store_n(&seat->cache, cache, __ATOMIC_RELAXED);
	seat->tag = bh_cache_tag(caches, cache);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	seat->generation = caches->generation;
}

struct bh_cache *bh_cache_claim(bheap_t *heap)
{
	struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *cache = bh_cache_own(caches);
	pid_t owner;

	if (cache || !caches->slots)
		return cache;
	caches_begin(heap, caches);
	if (caches->process != getpid())
		return NULL;
	owner = bh_thread_id();
	cache = cache_find(heap, owner);
	if (!cache)
		return NULL;
	cache->owner = owner;
	seat_take(caches, cache);
	return cache;
}

/* ---- bounds ---- */

/* Never more than half of what is left: others come, too. */
static uint32_t room_of(const struct bh_caches *caches, const struct bh_cache *cache)
{
	uint32_t room = BH_CACHE_ROOM_MAX - cache->granted;

	return room < caches->pool / 2 ? room : caches->pool / 2;
}

/* A part more than is wanted now, for few calls are to come here. */
uint32_t bh_cache_grant(struct bh_caches *caches, struct bh_cache *cache, size_t granules)
{
	uint32_t more = (uint32_t)granules + cache->granted / GRANT_PART;
	uint32_t most = room_of(caches, cache);

	BH_ASSERT(cache->room <= cache->granted && granules <= BH_CACHE_ROOM_MAX);
	if (cache->room >= granules)
		return cache->room;
	cache->is_short = cache->room + most < granules;
	more = more < most ? more : most;
	caches->pool -= more;
	cache->granted += more;
	cache->room += more;
	return cache->room;
}

void bh_cache_halve(struct bh_caches *caches, struct bh_cache *cache)
{
	uint32_t less = cache->granted / 2;

	less = less < cache->room ? less : cache->room;
	caches->pool += less;
	cache->granted -= less;
	cache->room -= less;
}

void bh_cache_revoke(struct bh_caches *caches, struct bh_cache *cache)
{
	BH_ASSERT(cache->room == cache->granted);
	caches->pool += cache->granted;
	cache->granted = cache->room = 0;
	cache->sizes = 0;
	cache->asked = 0;
	cache->is_short = false;
}

bool bh_cache_is_bypassed(const bheap_t *heap)
{
	const struct bh_caches *caches = bh_caches(heap);
	struct bh_cache *cache = bh_cache_own(caches);
	bool bypassed;

	if (!cache || !bh_cache_begin(caches, cache))
		return false;
	bypassed = cache->is_short && cache->granted < BYPASS_BELOW * cache->asked &&
		   ++cache->skipped % BYPASSES != 0;
	bh_cache_end(cache);
	return bypassed;
}

/* ---- handshake ---- */

bool bh_cache_begin_fenced(const struct bh_caches *caches, struct bh_cache *cache)
{
	__atomic_store_n(&cache->busy, 1, __ATOMIC_RELAXED);
	__sync_synchronize();
	if (!(__atomic_load_n(&caches->state, __ATOMIC_ACQUIRE) & BH_CACHES_CLOSED))
		return true;
	bh_cache_end(cache);
	return false;
}

/* A sandbox took the system call away after the caches were begun: owners fence from now on. */
static void barrier_failed(struct bh_caches *caches)
{
	if (caches->state & BH_CACHES_FENCED)
		return;
	__atomic_or_fetch(&caches->state, BH_CACHES_FENCED, __ATOMIC_RELEASE);
	bh_wait_nap(BH_BARRIER_NAP);
}

void bh_caches_close(struct bh_caches *caches)
{
	const struct bh_cache *own = bh_cache_own(caches);

	__atomic_or_fetch(&caches->state, BH_CACHES_CLOSED, __ATOMIC_SEQ_CST);
	if (!bh_barrier_all())
		barrier_failed(caches);
	for (uint32_t slot = 0; slot < caches->used; slot++) {
		const struct bh_cache *cache = bh_cache_at(caches, slot);

		if (cache == own)
			continue;
		while (__atomic_load_n(&cache->busy, __ATOMIC_ACQUIRE))
			bh_wait_nap(NAP);
	}
}

void bh_caches_open(struct bh_caches *caches)
{
	__atomic_and_fetch(&caches->state, ~(unsigned)BH_CACHES_CLOSED, __ATOMIC_RELEASE);
}
