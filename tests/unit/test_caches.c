/* SPDX-License-Identifier: MIT */
/*
 * test_caches.c - handle/caches.h: places, marks and bounds; which thread has which cache, after
 * its end and a fork, too; and who waits for whom.
 */
#include "ends.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handle/caches.h"
#include "handle/enter.h"

#define MIB ((size_t)1 << 20)

static bheap_t *heap;
static struct bh_caches *caches;

static void setup(void)
{
	heap = bheap_create(MIB, BHEAP_CACHED);
	ck_assert_ptr_nonnull(heap);
	caches = bh_caches(heap);
}

static void teardown(void)
{
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

/* Every call takes the lock while a tool listens. */
static bool is_off(void)
{
	return !bh_caches_are_on(heap);
}

/* Blocks of a size, freed: the cache has some then. */
static void blocks_cache(bheap_t *of, size_t size)
{
	void *blocks[16];

	for (int index = 0; index < 16; index++)
		require(blocks[index] = bheap_alloc(of, size));
	for (int index = 0; index < 16; index++)
		require(!heap_free(of, blocks[index]));
}

static struct bh_cache *cache_claimed_of(bheap_t *of)
{
	struct bh_cache *cache;
	struct bh_call call;

	require(bh_enter(&call, of));
	cache = bh_cache_claim(of);
	bh_leave(&call);
	return cache;
}

static struct bh_cache *cache_claimed(void)
{
	return cache_claimed_of(heap);
}

static uint64_t used_now(void)
{
	struct bheap_stats stats;

	require(bheap_stats(heap, &stats) == 0);
	return stats.used;
}

/* ---- places, marks, bounds ---- */

/* A large heap has larger caches. */
static void places_verify(const bheap_t *of, unsigned scale)
{
	const struct bh_caches *its = bh_caches(of);

	for (unsigned granules = 1; granules <= BH_CACHE_GRANULES; granules++) {
		unsigned places = its->at[granules + 1] - (unsigned)its->at[granules];

		ck_assert_uint_ge(places, 32u >> scale);
		ck_assert_uint_le(places, 64u >> scale);
		ck_assert(places == 32u >> scale || places * granules <= 1024u >> scale);
	}
	ck_assert_uint_eq(its->at[1], 0);
	ck_assert_uint_le(offsetof(struct bh_cache, places) +
				  its->at[BH_CACHE_GRANULES + 1] * sizeof(uint32_t),
			  its->stride);
}

START_TEST(each_size_has_places)
{
	static const size_t sizes[] = {64 * MIB, 8 * MIB, MIB};

	for (unsigned scale = 0; scale < 3; scale++) {
		bheap_t *other = bheap_create(sizes[scale], BHEAP_CACHED);

		places_verify(other, scale);
		ck_assert_int_eq(bheap_destroy(other), 0);
	}
}
END_TEST

START_TEST(caches_lie_in_the_memory_of_the_heap)
{
	const char *last = (const char *)bh_cache_at(caches, caches->slots - 1) + caches->stride;

	ck_assert_uint_ge(caches->slots, 4);
	ck_assert_uint_eq((uintptr_t)bh_cache_at(caches, 0) % BH_CACHE_LINE, 0);
	ck_assert_uint_ge((uintptr_t)caches, (uintptr_t)heap + BH_HANDLE_ROOM);
	ck_assert_uint_le((uintptr_t)last, (uintptr_t)heap->core.control);
}
END_TEST

START_TEST(a_mark_is_of_one_block_and_size)
{
	uint64_t *block = bheap_alloc(heap, 64), *other = bheap_alloc(heap, 64);

	bh_cache_set_mark(caches, block, 4);
	ck_assert(bh_cache_is_marked(caches, block, 4));
	for (size_t granules = 1; granules <= BH_CACHE_GRANULES; granules++)
		ck_assert(granules == 4 || !bh_cache_is_marked(caches, block, granules));
	*other = *block;
	ck_assert(!bh_cache_is_marked(caches, other, 4));
	bh_cache_clear_mark(block);
	ck_assert(!bh_cache_is_marked(caches, block, 4));
	ck_assert_uint_eq(*block, 0);
}
END_TEST

START_TEST(keys_differ)
{
	static _Alignas(64) char buffers[2][64 * 1024];
	bheap_t *other = bheap_create(MIB, BHEAP_CACHED);
	bheap_t *first = bheap_create_in(buffers[0], sizeof(buffers[0]), BHEAP_CACHED);
	bheap_t *second = bheap_create_in(buffers[1], sizeof(buffers[1]), BHEAP_CACHED);

	ck_assert_uint_ne(caches->key, bh_caches(other)->key);
	ck_assert_uint_ne(bh_caches(first)->key, bh_caches(second)->key);
	ck_assert_uint_ne(caches->id, bh_caches(other)->id);
	ck_assert_int_eq(bheap_destroy(other), 0);
}
END_TEST

/* What caches were granted is missing in the pool. */
static void grants_add_up(struct bh_cache *const *several, unsigned count, uint32_t all)
{
	uint32_t granted = 0;

	for (unsigned index = 0; index < count; index++) {
		require(several[index]->granted <= BH_CACHE_ROOM_MAX);
		require(several[index]->room <= several[index]->granted);
		granted += several[index]->granted;
	}
	require(caches->pool <= all);
	require_equal(granted + caches->pool, all);
}

START_TEST(grants_keep_the_bounds)
{
	bheap_t *large = bheap_create(_i ? 64 * MIB : MIB, BHEAP_CACHED);
	struct bh_cache *several[3];
	uint64_t random = 1;
	uint32_t all;

	caches = bh_caches(large);
	ck_assert_ptr_nonnull(bh_cache_claim(large));
	all = caches->pool;
	ck_assert_uint_eq(all, large->core.bins.span / 64);
	caches->used = 3;
	for (unsigned index = 0; index < 3; index++)
		several[index] = bh_cache_at(caches, index);
	for (unsigned step = 0; step < 3000; step++) {
		struct bh_cache *cache = several[random_below(&random, 3)];
		uint32_t wanted = 1 + (uint32_t)random_below(&random, 3000), before = cache->room;

		require_equal(bh_cache_grant(caches, cache, wanted), cache->room);
		require(cache->room >= before);
		require(cache->room >= wanted || cache->is_short);
		grants_add_up(several, 3, all);
		/* Blocks come and go. */
		cache->room = (uint32_t)random_below(&random, cache->granted + 1);
		if (!random_below(&random, 100)) {
			before = cache->granted;
			bh_cache_halve(caches, cache);
			require(cache->granted >= before / 2);
			require(cache->granted == before - before / 2 || !cache->room);
		}
		grants_add_up(several, 3, all);
		if (random_below(&random, 500))
			continue;
		cache->room = cache->granted;
		bh_cache_revoke(caches, cache);
		require(!cache->granted && !cache->room);
		grants_add_up(several, 3, all);
	}
	caches->used = 0;
	ck_assert_int_eq(bheap_destroy(large), 0);
}
END_TEST

/* ---- claims ---- */

START_TEST(a_thread_knows_its_cache)
{
	struct bh_cache *cache = cache_claimed();

	ck_assert_ptr_nonnull(cache);
	ck_assert_int_eq(cache->owner, gettid());
	ck_assert_ptr_eq(bh_cache_own(caches), cache);
	ck_assert_ptr_eq(cache_claimed(), cache);
	ck_assert_uint_eq(caches->used, 1);
}
END_TEST

/* As when a thread got the number of one that ended, or its seat was taken by another heap. */
START_TEST(a_thread_finds_the_cache_of_its_number)
{
	struct bh_cache *cache = cache_claimed();

	bh_cache_seat(caches)->tag = 0;
	ck_assert_ptr_null(bh_cache_own(caches));
	ck_assert_ptr_eq(cache_claimed(), cache);
	ck_assert_ptr_eq(bh_cache_own(caches), cache);
}
END_TEST

static void *cache_and_end(void *arg)
{
	(void)arg;
	blocks_cache(heap, 100);
	return bh_cache_own(caches);
}

static void *run(void *(*body)(void *), void *arg)
{
	pthread_t thread;
	void *result;

	require(!pthread_create(&thread, NULL, body, arg));
	require(!pthread_join(thread, &result));
	ends_await(caches);
	return result;
}

START_TEST(the_next_thread_takes_over)
{
	struct bh_cache *cache;

	if (is_off())
		return;
	cache = run(cache_and_end, NULL);
	ck_assert_ptr_nonnull(cache);
	ck_assert(bh_cache_has(caches, cache, 7));
	for (int count = 0; count < 50; count++)
		ck_assert_ptr_eq(run(cache_and_end, NULL), cache);
	ck_assert_uint_eq(caches->used, 1);
	ck_assert_uint_eq(used_now(), 0);
}
END_TEST

/* Threads that have a cache each and wait. */
#define CACHES 4
static pthread_barrier_t all_have, all_may_end;
static struct bh_cache *had[CACHES + 2];

static void *cache_and_wait(void *arg)
{
	struct bh_cache **mine = arg;
	void *block = bheap_alloc(heap, 100);

	blocks_cache(heap, 100);
	*mine = bh_cache_own(caches);
	pthread_barrier_wait(&all_have);
	pthread_barrier_wait(&all_may_end);
	return block && !heap_free(heap, block) ? block : NULL;
}

START_TEST(threads_without_a_cache_work)
{
	pthread_t threads[CACHES + 2];
	unsigned without = 0;

	if (is_off())
		return;
	caches->slots = CACHES;
	pthread_barrier_init(&all_have, NULL, CACHES + 3);
	pthread_barrier_init(&all_may_end, NULL, CACHES + 3);
	for (int index = 0; index < CACHES + 2; index++)
		ck_assert_int_eq(pthread_create(&threads[index], NULL, cache_and_wait, &had[index]),
				 0);
	pthread_barrier_wait(&all_have);
	for (int index = 0; index < CACHES + 2; index++) {
		without += !had[index];
		for (int other = 0; other < index; other++)
			ck_assert(!had[index] || had[index] != had[other]);
	}
	ck_assert_uint_eq(without, 2);
	ck_assert_uint_eq(caches->used, CACHES);
	ck_assert_uint_eq(used_now(), (CACHES + 2) * 112);
	pthread_barrier_wait(&all_may_end);
	for (int index = 0; index < CACHES + 2; index++) {
		void *block;

		pthread_join(threads[index], &block);
		ck_assert_ptr_nonnull(block);
	}
	ck_assert_uint_eq(used_now(), 0);
}
END_TEST

START_TEST(a_small_buffer_has_none)
{
	static _Alignas(64) char buffer[512 * 1024];
	static const size_t sizes[] = {BHEAP_BUFFER_MIN + 4096, 200 * 1024, 512 * 1024};

	bheap_destroy(heap);
	heap = bheap_create_in(buffer, sizes[_i], BHEAP_CACHED);
	ck_assert_ptr_nonnull(heap);
	caches = bh_caches(heap);
	blocks_cache(heap, 100);
	if (!is_off())
		ck_assert_uint_eq(caches->used, _i == 2);
	ck_assert_uint_eq(used_now(), 0);
}
END_TEST

/* A seat is of one heap, not of an address. */
/* Nothing is stored into the blocks of either heap. */
START_TEST(marks_of_an_earlier_heap_are_no_faults)
{
	static _Alignas(64) char buffer[512 * 1024];
	void *blocks[8];

	for (unsigned life = 0; life < 3; life++) {
		bheap_t *other = bheap_create_in(buffer, sizeof(buffer), BHEAP_CACHED);

		for (unsigned index = 0; index < 8; index++)
			ck_assert_ptr_nonnull(blocks[index] = bheap_alloc(other, 64));
		for (unsigned index = 0; index < 8; index++)
			ck_assert_int_eq(heap_free(other, blocks[index]), 0);
		ck_assert_int_eq(bheap_destroy(other), 0);
	}
}
END_TEST

START_TEST(a_heap_in_the_place_of_another)
{
	static _Alignas(64) char buffer[512 * 1024];

	for (int count = 0; count < 3 * BH_CACHE_SEATS; count++) {
		ck_assert_int_eq(bheap_destroy(heap), 0);
		memset(buffer, count, sizeof(buffer));
		heap = bheap_create_in(buffer, sizeof(buffer), BHEAP_CACHED);
		caches = bh_caches(heap);
		ck_assert_ptr_null(bh_cache_own(caches));
		blocks_cache(heap, 64);
		ck_assert_uint_eq(used_now(), 0);
	}
}
END_TEST

/* A heap that has the seat of the first one. */
static bheap_t *rival_make(void)
{
	bheap_t *rival = bheap_create(MIB, BHEAP_CACHED);

	while (bh_cache_seat(bh_caches(rival)) != bh_cache_seat(caches)) {
		ck_assert_int_eq(bheap_destroy(rival), 0);
		rival = bheap_create(MIB, BHEAP_CACHED);
	}
	return rival;
}

#define SEAT_WORDS (sizeof(struct bh_cache_seat) / sizeof(uint32_t))

/* Each word of a seat as a heap left it: the words of bit 1 as the second one did. */
static void seat_mix(uint32_t *seat, uint32_t words[2][SEAT_WORDS], unsigned bits)
{
	for (size_t word = 0; word < SEAT_WORDS; word++)
		seat[word] = words[bits >> word & 1][word];
}

/*
 * A signal handler that uses one heap may interrupt a call on the other between any two loads or
 * stores of the seat that both have.
 */
START_TEST(a_seat_leads_to_no_cache_of_another_heap)
{
	bheap_t *rival = rival_make();
	struct bh_cache_seat *seat = bh_cache_seat(caches);
	const struct bh_cache *cache = cache_claimed(), *theirs, *own;
	uint32_t words[2][SEAT_WORDS], mixed[SEAT_WORDS];

	memcpy(words[0], seat, sizeof(*seat));
	theirs = cache_claimed_of(rival);
	memcpy(words[1], seat, sizeof(*seat));
	for (unsigned bits = 0; bits < 1u << SEAT_WORDS; bits++) {
		seat_mix(mixed, words, bits);
		memcpy(seat, mixed, sizeof(*seat));
		own = bh_cache_own(caches);
		require(!own || own == cache);
		own = bh_cache_own(bh_caches(rival));
		require(!own || own == theirs);
	}
	ck_assert_int_eq(bheap_destroy(rival), 0);
}
END_TEST

#define HEAPS (2 * BH_CACHE_SEATS + 1)

START_TEST(more_heaps_than_seats)
{
	bheap_t *heaps[HEAPS];
	void *blocks[HEAPS];

	for (int index = 0; index < HEAPS; index++)
		heaps[index] = bheap_create(MIB, BHEAP_CACHED);
	for (int round = 0; round < 20; round++) {
		for (int index = 0; index < HEAPS; index++)
			require(blocks[index] = bheap_alloc(heaps[index], 48));
		for (int index = 0; index < HEAPS; index++) {
			require(bheap_owns(heaps[index], blocks[index]));
			require(!heap_free(heaps[index], blocks[index]));
			blocks_cache(heaps[index], 48);
		}
	}
	for (int index = 0; index < HEAPS; index++) {
		struct bheap_stats stats;

		ck_assert_uint_le(bh_caches(heaps[index])->used, 1);
		ck_assert_int_eq(bheap_stats(heaps[index], &stats), 0);
		ck_assert_uint_eq(stats.used, 0);
		ck_assert_int_eq(bheap_destroy(heaps[index]), 0);
	}
}
END_TEST

/* ---- forks ---- */

/* A thread of the child comes first, and gets the cache that the thread that forked had. */
static int child_claims(void *arg)
{
	struct bh_cache *before = arg;
	pthread_t thread;
	bool wrong;

	pthread_barrier_init(&all_have, NULL, 2);
	pthread_barrier_init(&all_may_end, NULL, 2);
	if (pthread_create(&thread, NULL, cache_and_wait, &had[0]))
		return 99;
	pthread_barrier_wait(&all_have);
	wrong = had[0] != before || bh_cache_own(caches) || cache_claimed() == before;
	pthread_barrier_wait(&all_may_end);
	pthread_join(thread, NULL);
	return wrong || used_now();
}

START_TEST(a_child_has_no_cache_of_its_parent)
{
	struct child child;
	struct bh_cache *cache;

	if (is_off() || is_watched() || is_emulated())
		return;
	blocks_cache(heap, 100);
	cache = bh_cache_own(caches);
	ck_assert_ptr_nonnull(cache);
	child_run(&child, child_claims, cache);
	child_assert_exited(&child, 0);
	ck_assert_ptr_eq(bh_cache_own(caches), cache);
}
END_TEST

/* A child of vfork(2) sees this process's memory; it asks the system as another process. */
START_TEST(a_child_of_vfork_takes_nothing_over)
{
	pthread_t thread;
	pid_t owner, child;
	int status;

	if (is_off() || is_watched())
		return;
	pthread_barrier_init(&all_have, NULL, 2);
	pthread_barrier_init(&all_may_end, NULL, 2);
	ck_assert_int_eq(pthread_create(&thread, NULL, cache_and_wait, &had[0]), 0);
	pthread_barrier_wait(&all_have);
	owner = had[0]->owner;
	child = vfork();
	if (!child) {
		for (int count = 0; count < 200; count++)
			blocks_cache(heap, 16 + 16 * (size_t)(count % 60));
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(had[0]->owner, owner);
	ck_assert(bh_cache_has(caches, had[0], 7));
	/* Nor did it leave a cache behind that this thread takes for its own. */
	ck_assert_ptr_null(bh_cache_own(caches));
	ck_assert_int_eq(cache_claimed()->owner, gettid());
	pthread_barrier_wait(&all_may_end);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(used_now(), 0);
}
END_TEST

/* ---- handshake ---- */

START_TEST(an_owner_is_seen_at_work)
{
	static bh_cache_begin_fn *const ways[] = {bh_cache_begin, bh_cache_begin_fenced};
	struct bh_cache *cache = cache_claimed();
	unsigned fenced = _i ? BH_CACHES_FENCED : 0;

	caches->state = fenced;
	ck_assert(ways[_i](caches, cache));
	ck_assert_uint_eq(cache->busy, 1);
	bh_cache_end(cache);
	ck_assert_uint_eq(cache->busy, 0);
	caches->state = fenced | BH_CACHES_CLOSED;
	ck_assert(!ways[_i](caches, cache));
	ck_assert_uint_eq(cache->busy, 0);
	caches->state = BH_CACHES_FENCED;
	ck_assert_int_eq(bh_cache_begin(caches, cache), false);
	ck_assert_uint_eq(cache->busy, 0);
}
END_TEST

static atomic_bool is_closed;

static void *close_and_open(void *arg)
{
	(void)arg;
	bh_caches_close(caches);
	atomic_store(&is_closed, true);
	bh_caches_open(caches);
	return NULL;
}

START_TEST(who_closes_waits_for_who_is_at_work)
{
	struct bh_cache *cache = cache_claimed();
	pthread_t thread;

	ck_assert(bh_cache_begin(caches, cache) || bh_cache_begin_fenced(caches, cache));
	ck_assert_int_eq(pthread_create(&thread, NULL, close_and_open, NULL), 0);
	while (!(__atomic_load_n(&caches->state, __ATOMIC_RELAXED) & BH_CACHES_CLOSED))
		usleep(1000);
	usleep(50000);
	ck_assert(!atomic_load(&is_closed));
	bh_cache_end(cache);
	pthread_join(thread, NULL);
	ck_assert(atomic_load(&is_closed));
	ck_assert(!(caches->state & BH_CACHES_CLOSED));
}
END_TEST

/* ---- the same at any step ---- */

static int inside;
static bool is_over;
static unsigned begun;

/* Stored to by both: what a processor stores next waits until it has these lines. */
static volatile char lines[32][BH_CACHE_LINE];

static void stores_delay(void)
{
	for (size_t line = 0; line < sizeof(lines) / sizeof(*lines); line++)
		lines[line][0] = 1;
}

/* The handshake alone orders who is inside. */
static void be_inside(size_t turns)
{
	require(!__atomic_exchange_n(&inside, 1, __ATOMIC_RELAXED));
	pause_for(turns);
	__atomic_store_n(&inside, 0, __ATOMIC_RELAXED);
}

static void *begin_and_end(void *arg)
{
	bh_cache_begin_fn *begin = bh_cache_begin;
	struct bh_cache *cache = cache_claimed();

	if (bh_caches_are_fenced(heap))
		begin = bh_cache_begin_fenced;
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		stores_delay();
		if (!begin(caches, cache))
			continue;
		be_inside(0);
		__atomic_store_n(&begun, begun + 1, __ATOMIC_RELAXED);
		bh_cache_end(cache);
	}
	return arg;
}

static int close_at_any_step(void *fenced)
{
	uint64_t seed = 1;
	pthread_t thread;

	leaks_ignore();
	if (fenced && !system_call_refuse(SYS_membarrier, ENOSYS))
		return 0;
	require(!pthread_create(&thread, NULL, begin_and_end, NULL));
	while (!__atomic_load_n(&begun, __ATOMIC_RELAXED))
		usleep(100);
	for (int round = 100000; round; round--) {
		stores_delay();
		pause_for(random_below(&seed, 64));
		bh_caches_close(caches);
		be_inside(500); /* for one that comes late */
		bh_caches_open(caches);
		/* Until the owner is at work, and at any moment of it. */
		pause_for(random_below(&seed, 1000));
	}
	__atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
	return pthread_join(thread, NULL);
}

/* Without the barrier, or the owner's fence where there is none, both are inside at once. */
START_TEST(caches_are_closed_at_any_step)
{
	struct child child;

	if (is_off() || is_watched())
		return;
	child_run(&child, close_at_any_step, _i ? heap : NULL);
	child_assert_exited(&child, 0);
}
END_TEST

/* ---- buffers ---- */

/*
 * bheap_buffer_size() counts on it: from one power of two to the next, areas only grow. They change
 * at multiples of 256 KiB alone.
 */
START_TEST(a_larger_buffer_has_no_smaller_area)
{
	const size_t step = MIB / 4 >> BH_GRANULE_SHIFT;
	size_t last = bh_cache_area_size(1, true);

	for (size_t granules = step; granules <= (size_t)1 << 27; granules += step) {
		size_t before = bh_cache_area_size(granules - 1, true);
		size_t size = bh_cache_area_size(granules, true);

		require_equal(before, last);
		require(size >= before || bh_is_power_of_two(granules));
		last = size;
	}
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("caches", &tcase, 60);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, each_size_has_places);
	tcase_add_test(tcase, caches_lie_in_the_memory_of_the_heap);
	tcase_add_test(tcase, a_mark_is_of_one_block_and_size);
	tcase_add_test(tcase, keys_differ);
	tcase_add_loop_test(tcase, grants_keep_the_bounds, 0, 2);
	tcase_add_test(tcase, a_thread_knows_its_cache);
	tcase_add_test(tcase, a_thread_finds_the_cache_of_its_number);
	tcase_add_test(tcase, the_next_thread_takes_over);
	tcase_add_test(tcase, threads_without_a_cache_work);
	tcase_add_loop_test(tcase, a_small_buffer_has_none, 0, 3);
	tcase_add_test(tcase, a_larger_buffer_has_no_smaller_area);
	tcase_add_test(tcase, marks_of_an_earlier_heap_are_no_faults);
	tcase_add_test(tcase, a_heap_in_the_place_of_another);
	tcase_add_test(tcase, more_heaps_than_seats);
	tcase_add_test(tcase, a_seat_leads_to_no_cache_of_another_heap);
	tcase_add_test(tcase, a_child_has_no_cache_of_its_parent);
	tcase_add_test(tcase, a_child_of_vfork_takes_nothing_over);
	tcase_add_loop_test(tcase, an_owner_is_seen_at_work, 0, 2);
	tcase_add_test(tcase, who_closes_waits_for_who_is_at_work);
	tcase_add_loop_test(tcase, caches_are_closed_at_any_step, 0, 2);
	return suite_run(suite);
}
