/* SPDX-License-Identifier: MIT */
/*
 * test_cached.c - heaps with BHEAP_CACHED: many threads with a model, blocks that change hands,
 * threads that end, refusals that are none while a cache holds room, forks, and kernels that refuse
 * what the caches use. What threads find wrong they return as words.
 */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KIB ((size_t)1024)
#define THREADS 4
#define BLOCKS 200

static bheap_t *heap;
static struct faults faults;
static _Alignas(64) char buffer[1024 * 1024];

static void heap_make(size_t size)
{
	heap = bheap_create(size, BHEAP_CACHED);
	ck_assert_ptr_nonnull(heap);
	faults_expect(&faults);
}

static struct bheap_stats figures(void)
{
	struct bheap_stats stats;

	require(bheap_stats(heap, &stats) == 0);
	return stats;
}

/* Nothing is left, nothing was reported, nothing is broken. */
static void heap_end(void)
{
	size_t used = bheap_used(heap); /* caches have blocks still */
	struct bheap_stats stats = figures();
	struct bheap_fault fault;

	ck_assert_uint_eq(used, 0);
	ck_assert_msg(!bheap_check(heap, &fault), "%s", fault.text);
	ck_assert_uint_eq(stats.used, 0);
	ck_assert_uint_eq(stats.live_blocks, 0);
	ck_assert_uint_eq(stats.largest_free, stats.size);
	ck_assert_uint_eq(stats.allocations, stats.frees);
	ck_assert_msg(!faults.count, "%s", faults.last.text);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}

static unsigned rounds(unsigned usual)
{
	return is_watched() || is_emulated() ? usual / 20 : usual;
}

/* ---- threads ---- */

struct worker {
	pthread_t thread;
	uint64_t random;
	uint64_t calls; /* blocks it was given */
	const char *wrong;
	struct {
		unsigned char *ptr;
		size_t size;
		uint64_t seed;
	} held[BLOCKS];
};

static struct worker workers[THREADS];
static atomic_bool stop;

typedef void *body_fn(void *worker);

static void workers_begin(body_fn *body, unsigned count)
{
	atomic_store(&stop, false);
	for (unsigned index = 0; index < count; index++) {
		workers[index] = (struct worker){.random = index + 1};
		ck_assert_int_eq(
			pthread_create(&workers[index].thread, NULL, body, &workers[index]), 0);
	}
}

static void workers_end(unsigned count)
{
	for (unsigned index = 0; index < count; index++)
		pthread_join(workers[index].thread, NULL);
	for (unsigned index = 0; index < count; index++)
		ck_assert_msg(!workers[index].wrong, "%s", workers[index].wrong);
}

static size_t random_size(uint64_t *random)
{
	return random_below(random, random_below(random, 16) ? 1100 : 4000);
}

static const char *held_make(struct worker *worker, unsigned index, unsigned char *ptr, size_t size,
			     size_t alignment)
{
	if (!ptr)
		return errno == ENOMEM ? NULL : "refused, and not for want of room";
	if ((uintptr_t)ptr % alignment)
		return "a block is not aligned";
	worker->calls++;
	worker->held[index].ptr = ptr;
	worker->held[index].size = size;
	worker->held[index].seed = random_next(&worker->random);
	pattern_fill(ptr, size, worker->held[index].seed);
	return NULL;
}

static const char *held_end(struct worker *worker, unsigned index)
{
	unsigned char *ptr = worker->held[index].ptr;

	worker->held[index].ptr = NULL;
	if (!ptr)
		return NULL;
	if (!pattern_holds(ptr, worker->held[index].size, worker->held[index].seed))
		return "the content of a block changed";
	return heap_free(heap, ptr) ? "a free was refused" : NULL;
}

static const char *held_resize(struct worker *worker, unsigned index, size_t size)
{
	unsigned char *ptr = worker->held[index].ptr;
	size_t kept = worker->held[index].size;

	if (!size)
		size = 1;
	if (random_below(&worker->random, 3)) {
		ptr = bheap_realloc(heap, ptr, size);
		worker->calls += ptr && ptr != worker->held[index].ptr;
	} else if (bheap_resize(heap, ptr, size)) {
		ptr = NULL;
	}
	if (!ptr)
		return errno == ENOMEM ? NULL : "a resize was refused";
	if (!pattern_holds(ptr, kept < size ? kept : size, worker->held[index].seed))
		return "a resize lost content";
	worker->held[index].ptr = ptr;
	worker->held[index].size = size;
	pattern_fill(ptr, size, worker->held[index].seed);
	return NULL;
}

static const char *work_once(struct worker *worker)
{
	unsigned index = (unsigned)random_below(&worker->random, BLOCKS);
	size_t size = random_size(&worker->random);
	size_t alignment = (size_t)16 << random_below(&worker->random, 5);

	if (worker->held[index].ptr && !random_below(&worker->random, 4))
		return held_resize(worker, index, size);
	if (worker->held[index].ptr)
		return held_end(worker, index);
	if (random_below(&worker->random, 8))
		return held_make(worker, index, bheap_alloc(heap, size), size, 16);
	return held_make(worker, index, bheap_aligned_alloc(heap, alignment, size), size,
			 alignment);
}

/* Whole figures, whatever others do. */
static const char *look_once(struct worker *worker)
{
	struct bheap_stats stats;

	switch (random_below(&worker->random, 4)) {
	case 0: return bheap_check(heap, NULL) ? "the checker finds damage" : NULL;
	case 1:
		return bheap_stats(heap, &stats) || stats.used + stats.free != stats.size ||
				       stats.allocations - stats.frees != stats.live_blocks
			       ? "the figures are wrong"
			       : NULL;
	case 2: bheap_trim(heap); return NULL;
	default: return bheap_set_limit(heap, 0) ? "the limit is refused" : NULL;
	}
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (unsigned round = rounds(60000); round && !worker->wrong; round--)
		worker->wrong =
			random_below(&worker->random, 1000) ? work_once(worker) : look_once(worker);
	for (unsigned index = 0; index < BLOCKS && !worker->wrong; index++)
		worker->wrong = held_end(worker, index);
	return NULL;
}

/* Of a size in which requests are refused now and then, and of one in which none is. */
START_TEST(many_threads_with_a_model)
{
	heap_make((_i ? 4096 : 400) * KIB);
	workers_begin(work, THREADS);
	workers_end(THREADS);
	if (_i)
		ck_assert_uint_eq(figures().failures, 0);
	heap_end();
}
END_TEST

START_TEST(many_threads_in_a_buffer)
{
	static const size_t sizes[] = {64 * KIB, 256 * KIB, 500 * KIB, 1024 * KIB};

	heap = bheap_create_in(buffer, sizes[_i], BHEAP_CACHED);
	ck_assert_ptr_nonnull(heap);
	faults_expect(&faults);
	workers_begin(work, THREADS);
	workers_end(THREADS);
	heap_end();
}
END_TEST

/* ---- blocks that change hands ---- */

static _Atomic(uint64_t *) mailbox[256];

static void *produce(void *arg)
{
	struct worker *worker = arg;

	for (unsigned round = rounds(100000); round && !worker->wrong; round--) {
		size_t size = 8 + random_below(&worker->random, 700);
		uint64_t *block = bheap_alloc(heap, size);

		if (block)
			*block = size;
		block = atomic_exchange(&mailbox[random_below(&worker->random, 256)], block);
		if (block && heap_free(heap, block))
			worker->wrong = "the free of another thread's block was refused";
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct worker *worker = arg;

	while (!atomic_load(&stop) && !worker->wrong) {
		uint64_t *block =
			atomic_exchange(&mailbox[random_below(&worker->random, 256)], NULL);

		if (block && (*block > 708 || heap_free(heap, block)))
			worker->wrong = "the block of another thread was refused";
	}
	return NULL;
}

START_TEST(blocks_change_hands)
{
	struct worker *consumer = &workers[THREADS - 1];

	heap_make(2048 * KIB);
	workers_begin(produce, THREADS - 1);
	*consumer = (struct worker){.random = 99};
	ck_assert_int_eq(pthread_create(&consumer->thread, NULL, consume, consumer), 0);
	workers_end(THREADS - 1);
	atomic_store(&stop, true);
	pthread_join(consumer->thread, NULL);
	ck_assert_ptr_null(consumer->wrong);
	for (unsigned index = 0; index < 256; index++)
		ck_assert_int_eq(bheap_free(heap, mailbox[index]), 0);
	heap_end();
}
END_TEST

/* ---- threads that end ---- */

static void *live_shortly(void *arg)
{
	struct worker *worker = arg;
	void *blocks[20];

	for (unsigned index = 0; index < 20; index++)
		blocks[index] = bheap_alloc(heap, 16 + random_below(&worker->random, 600));
	for (unsigned index = 0; index < 20; index++)
		if (!blocks[index] || heap_free(heap, blocks[index]))
			worker->wrong = "refused";
	return NULL;
}

START_TEST(short_lived_threads_leave_nothing)
{
	heap_make(512 * KIB);
	for (unsigned count = 0; count < rounds(10000) / THREADS; count++) {
		workers_begin(live_shortly, THREADS);
		workers_end(THREADS);
	}
	heap_end();
}
END_TEST

/* After the last round of destructors: the first use of the heap, or one among others. */
static pthread_key_t key;
static unsigned late_frees;

static void free_late(void *block)
{
	static __thread unsigned calls;

	if (++calls < 4) { /* PTHREAD_DESTRUCTOR_ITERATIONS */
		pthread_setspecific(key, block);
		return;
	}
	if (!heap_free(heap, block))
		__atomic_add_fetch(&late_frees, 1, __ATOMIC_RELAXED);
}

static void *end_late(void *arg)
{
	pthread_setspecific(key, arg);
	return NULL;
}

static void *use_and_end_late(void *arg)
{
	live_shortly(&workers[0]);
	return end_late(arg);
}

START_TEST(frees_after_all_destructors)
{
	unsigned count = rounds(400);

	/* The thread sanitizer's own end comes before. */
	if (is_thread_sanitized())
		return;
	heap_make(512 * KIB);
	ck_assert_int_eq(pthread_key_create(&key, free_late), 0);
	for (unsigned index = 0; index < count; index++) {
		pthread_t thread;

		ck_assert_int_eq(pthread_create(&thread, NULL, _i ? use_and_end_late : end_late,
						bheap_alloc(heap, 100)),
				 0);
		pthread_join(thread, NULL);
	}
	ck_assert_uint_eq(late_frees, count);
	heap_end();
}
END_TEST

static void *work_for_ever(void *arg)
{
	struct worker *worker = arg;

	while (!worker->wrong) {
		int state;

		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		worker->wrong = work_once(worker);
		pthread_setcancelstate(state, NULL);
		/* Here it ends, or in a call of the library, if one were a place to end in. */
		pthread_testcancel();
	}
	return NULL;
}

START_TEST(cancelled_threads_leave_nothing)
{
	heap_make(1024 * KIB);
	for (unsigned count = 0; count < rounds(100); count++) {
		workers_begin(work_for_ever, 2);
		for (unsigned index = 0; index < 2; index++)
			ck_assert_int_eq(pthread_cancel(workers[index].thread), 0);
		workers_end(2);
		for (unsigned index = 0; index < 2 * BLOCKS; index++)
			ck_assert_ptr_null(held_end(&workers[index / BLOCKS], index % BLOCKS));
	}
	heap_end();
}
END_TEST

/* No call of a heap is a place where a cancelled thread ends. */
static void *work_cancelled(void *arg)
{
	struct worker *worker = arg;

	pthread_cancel(pthread_self());
	for (unsigned round = 0; round < 2000 && !worker->wrong; round++)
		worker->wrong = work_once(worker);
	for (unsigned index = 0; index < BLOCKS && !worker->wrong; index++)
		worker->wrong = held_end(worker, index);
	worker->calls = 0;
	return NULL;
}

START_TEST(no_call_ends_a_thread)
{
	heap_make(256 * KIB);
	workers_begin(work_cancelled, THREADS);
	workers_end(THREADS);
	for (unsigned index = 0; index < THREADS; index++)
		ck_assert_uint_eq(workers[index].calls, 0);
	heap_end();
}
END_TEST

/* ---- refusals ---- */

static pthread_barrier_t all_hold, all_may_free;

/* Caches as many blocks as it may, and waits. */
static void *hold_and_wait(void *arg)
{
	struct worker *worker = arg;

	for (unsigned round = 0; round < 4; round++) {
		for (unsigned index = 0; index < BLOCKS && !worker->wrong; index++)
			worker->wrong =
				held_make(worker, index, bheap_alloc(heap, 16 + 16 * (index % 40)),
					  16 + 16 * (index % 40), 16);
		for (unsigned index = 0; index < BLOCKS && !worker->wrong; index++)
			worker->wrong = held_end(worker, index);
	}
	pthread_barrier_wait(&all_hold);
	pthread_barrier_wait(&all_may_free);
	return NULL;
}

static void holders_begin(void)
{
	pthread_barrier_init(&all_hold, NULL, THREADS + 1);
	pthread_barrier_init(&all_may_free, NULL, THREADS + 1);
	workers_begin(hold_and_wait, THREADS);
	pthread_barrier_wait(&all_hold);
}

static void holders_end(void)
{
	pthread_barrier_wait(&all_may_free);
	workers_end(THREADS);
}

/* One thread fills the heap: what is refused would have fitted nowhere. */
START_TEST(no_refusal_while_a_cache_has_room)
{
	uint64_t random = (uint64_t)_i;
	unsigned refusals = 0;

	heap_make(1024 * KIB);
	holders_begin();
	while (refusals < 200) {
		size_t size = 1 + random_size(&random);
		size_t rounded = (size + 15) / 16 * 16;

		if (bheap_alloc(heap, size))
			continue;
		ck_assert_errno(ENOMEM);
		ck_assert_uint_lt(figures().largest_free, rounded);
		refusals++;
	}
	while (bheap_alloc(heap, 1))
		;
	ck_assert_uint_eq(figures().free, 0);
	ck_assert_uint_eq(figures().failures, refusals + 1);
	holders_end();
	heap_empty(heap);
	heap_end();
}
END_TEST

/* All that the thread freed is had in one block at once. */
START_TEST(freed_blocks_are_one_block)
{
	static void *blocks[8192];
	unsigned count = 0;

	heap_make(256 * KIB);
	if (_i)
		holders_begin();
	for (size_t size = 16; count < 8192; size = size < 1024 ? size + 16 : 16) {
		blocks[count] = bheap_alloc(heap, size);
		if (!blocks[count])
			break;
		count++;
	}
	while (count--)
		ck_assert_int_eq(heap_free(heap, blocks[count]), 0);
	blocks[0] = bheap_alloc(heap, 250 * KIB);
	ck_assert_ptr_nonnull(blocks[0]);
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
	blocks[0] = bheap_alloc(heap, 256 * KIB);
	ck_assert_ptr_nonnull(blocks[0]);
	ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
	ck_assert_uint_eq(figures().failures, 1);
	if (_i)
		holders_end();
	heap_end();
}
END_TEST

enum way { REALLOC, RESIZE, ALIGNED, ALIGNED_REALLOC, ROOT, INTO, WAYS };

/* Whether a block can be made of all but the first 4 KiB, in which one is. */
static void *all_but_the_first(enum way way, char *first)
{
	size_t rest = bheap_usable_size(heap, first), all = 256 * KIB;

	switch (way) {
	case REALLOC: return bheap_realloc(heap, first, all);
	case RESIZE: return bheap_resize(heap, first, all) ? NULL : first;
	case ALIGNED: return bheap_aligned_alloc(heap, 4096, all - rest);
	case ALIGNED_REALLOC: return bheap_aligned_realloc(heap, first, 4096, all);
	case ROOT: return bheap_root_alloc(heap, all - rest);
	default: return bheap_alloc_into(heap, (uint64_t *)(void *)first, all - rest);
	}
}

/* At the border: the last granule is in a cache. */
START_TEST(each_request_finds_what_is_cached)
{
	char *first, *blocks[64];

	heap_make(256 * KIB);
	first = bheap_aligned_alloc(heap, 4096, 4096);
	ck_assert_ptr_nonnull(first);
	memset(first, 7, 4096);
	for (unsigned index = 0; index < 64; index++)
		ck_assert_ptr_nonnull(blocks[index] = bheap_alloc(heap, 16 + 16 * (index % 8)));
	for (unsigned index = 0; index < 64; index++)
		ck_assert_int_eq(heap_free(heap, blocks[index]), 0);
	ck_assert_ptr_nonnull(all_but_the_first((enum way)_i, first));
	ck_assert_uint_eq(figures().free, 0);
	ck_assert_uint_eq(figures().failures, 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* A slide down, and no room for a copy: the block before is in a cache. */
START_TEST(a_slide_finds_what_is_cached)
{
	char *before, *block, *last;

	heap_make(256 * KIB);
	before = bheap_alloc(heap, 1000);
	block = bheap_alloc(heap, 100 * KIB);
	last = bheap_alloc(heap, 150 * KIB);
	ck_assert(before && block && last);
	while (bheap_alloc(heap, 16))
		;
	pattern_fill(block, 100 * KIB, 3);
	ck_assert_int_eq(heap_free(heap, before), 0);
	block = bheap_realloc(heap, block, 100 * KIB + 900);
	ck_assert_ptr_eq(block, before);
	ck_assert(pattern_holds(block, 100 * KIB, 3));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* With a limit nothing is cached; after it, something is again. */
START_TEST(a_limit_counts_nothing_twice)
{
	char *blocks[32];

	heap_make(256 * KIB);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned index = 0; index < 32; index++)
			ck_assert_ptr_nonnull(blocks[index] = bheap_alloc(heap, 512));
		for (unsigned index = 0; index < 32; index++)
			ck_assert_int_eq(heap_free(heap, blocks[index]), 0);
		ck_assert_int_eq(bheap_set_limit(heap, 16 * KIB), 0);
		ck_assert_ptr_nonnull(blocks[0] = bheap_alloc(heap, 16 * KIB));
		ck_assert_ptr_null(bheap_alloc(heap, 16));
		ck_assert_int_eq(heap_free(heap, blocks[0]), 0);
		ck_assert_int_eq(bheap_set_limit(heap, 0), 0);
	}
	heap_end();
}
END_TEST

/* Freed by the handler: into the cache. The second try finds it. */
static bool evict(const struct bheap_refusal *refusal, void *arg)
{
	void **block = arg;
	bool freed = *block && !heap_free(refusal->heap, *block);

	*block = NULL;
	return freed;
}

START_TEST(a_refusal_handler_frees_into_a_cache)
{
	void *last;

	heap_make(64 * KIB);
	last = bheap_alloc(heap, 1024);
	while (bheap_alloc(heap, 512))
		;
	while (bheap_alloc(heap, 16))
		;
	ck_assert_int_eq(bheap_set_refusal_handler(heap, evict, &last), 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1000));
	ck_assert_ptr_null(last);
	ck_assert_ptr_null(bheap_alloc(heap, 1000));
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* ---- what looks at the heap, or ends its blocks, meanwhile ---- */

static int count_block(const struct bheap_block *block, void *arg)
{
	*(uint64_t *)arg += block->used ? block->size : 0;
	errno = 0;
	return bheap_alloc(heap, 16) || errno != EDEADLK || heap_free(heap, block->address) != -1;
}

static void *pairs(void *arg)
{
	struct worker *worker = arg;

	while (!atomic_load_explicit(&stop, memory_order_relaxed) && !worker->wrong) {
		void *block = bheap_alloc(heap, 1 + random_below(&worker->random, 300));

		if (!block || heap_free(heap, block))
			worker->wrong = "a pair of calls was refused";
	}
	return NULL;
}

START_TEST(walks_and_figures_meanwhile)
{
	FILE *null = fopen("/dev/null", "w");

	heap_make(1024 * KIB);
	workers_begin(pairs, THREADS - 1);
	for (unsigned round = 0; round < rounds(1000); round++) {
		uint64_t used = 0;

		ck_assert_int_eq(bheap_walk(heap, count_block, &used), 0);
		ck_assert_uint_le(used, 304 * (THREADS - 1));
		ck_assert_uint_le(figures().live_blocks, THREADS - 1);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
		bheap_trim(heap);
		if (!(round % 50))
			ck_assert_int_eq(bheap_display(heap, null), 0);
		ck_assert_int_eq(bheap_set_limit(heap, round % 3 ? 512 * KIB : 0), 0);
	}
	ck_assert_int_eq(bheap_set_limit(heap, 0), 0);
	atomic_store(&stop, true);
	workers_end(THREADS - 1);
	fclose(null);
	heap_end();
}
END_TEST

/* Others hold cached blocks, and none that is theirs. */
START_TEST(a_reset_takes_what_is_cached)
{
	heap_make(1024 * KIB);
	holders_begin();
	for (unsigned index = 0; index < 300; index++)
		ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	ck_assert_int_eq(bheap_reset(heap), 0);
	ck_assert_uint_eq(figures().used, 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 1024 * KIB));
	ck_assert_int_eq(bheap_reset(heap), 0);
	holders_end();
	heap_end();
}
END_TEST

START_TEST(a_heap_ends_with_its_caches)
{
	for (unsigned count = 0; count < 20; count++) {
		heap_make(1024 * KIB);
		holders_begin();
		ck_assert_int_eq(bheap_destroy(heap), 0);
		holders_end();
	}
}
END_TEST

/* ---- forks ---- */

/* Each thread of the parent holds one block at most. Exit codes tell what is wrong. */
static int child_uses(bool makes_threads)
{
	struct bheap_stats stats, after;
	void *blocks[100];

	if (bheap_stats(heap, &stats))
		return 1;
	if (stats.live_blocks > 1 + THREADS - 1)
		return 2;
	if (bheap_check(heap, NULL))
		return 3;
	for (unsigned index = 0; index < 100; index++)
		if (!(blocks[index] = bheap_alloc(heap, 16 * (index % 60))))
			return 4;
	for (unsigned index = 0; index < 100; index++)
		if (heap_free(heap, blocks[index]))
			return 5;
	if (makes_threads) {
		workers_begin(live_shortly, THREADS);
		workers_end(THREADS);
	}
	if (bheap_stats(heap, &after) || after.live_blocks != stats.live_blocks ||
	    bheap_check(heap, NULL))
		return 6;
	return faults.count > 1 || (faults.count && faults.last.kind != BHEAP_FAULT_RECOVERED) ? 7
											       : 0;
}

START_TEST(forks_while_threads_work)
{
	bool makes_threads = !is_watched() && !is_emulated();

	heap_make(1024 * KIB);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	workers_begin(pairs, THREADS - 1);
	for (unsigned count = 0; count < rounds(400); count++) {
		int status;
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		if (!child) {
			leaks_ignore();
			child_exit(child_uses(makes_threads));
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_msg(!status, "fork %u: wait status 0x%x", count, (unsigned)status);
	}
	atomic_store(&stop, true);
	workers_end(THREADS - 1);
	heap_empty(heap);
	heap_end();
}
END_TEST

static void use_in_handler(void)
{
	void *block = bheap_alloc(heap, 100);

	if (!block || heap_free(heap, block))
		_exit(99);
}

static int child_of_handlers(void *arg)
{
	(void)arg;
	return child_uses(false);
}

/* In the parent before and after, and in the child at once. */
START_TEST(fork_handlers_use_the_heap)
{
	struct child child;

	/* Blocks of threads that are not in a child are leaks there. */
	if (is_watched() && !is_thread_sanitized())
		return;
	heap_make(1024 * KIB);
	use_in_handler();
	ck_assert_int_eq(pthread_atfork(use_in_handler, use_in_handler, use_in_handler), 0);
	workers_begin(pairs, THREADS - 1);
	for (unsigned count = 0; count < 20; count++) {
		child_run(&child, child_of_handlers, NULL);
		child_assert_exited(&child, 0);
	}
	atomic_store(&stop, true);
	workers_end(THREADS - 1);
	heap_end();
}
END_TEST

/* A child of vfork(2) frees what its parent had, and leaves what it made. */
START_TEST(a_child_of_vfork_uses_the_heap)
{
	static char *volatile blocks[20];
	struct bheap_stats stats;

	if (is_watched() || is_emulated())
		return;
	heap_make(1024 * KIB);
	workers_begin(pairs, THREADS - 1);
	for (unsigned count = 0; count < 200; count++) {
		pid_t child;
		int status;

		for (unsigned index = 0; index < 10; index++)
			blocks[index] = bheap_alloc(heap, 200);
		child = vfork();
		if (!child) {
			for (unsigned index = 0; index < 10; index++)
				heap_free(heap, blocks[index]);
			for (unsigned index = 0; index < 20; index++)
				blocks[index] = bheap_alloc(heap, 300);
			_exit(0);
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		for (unsigned index = 0; index < 20; index++)
			ck_assert_int_eq(heap_free(heap, blocks[index]), 0);
	}
	stats = figures();
	ck_assert_uint_le(stats.live_blocks, THREADS - 1);
	atomic_store(&stop, true);
	workers_end(THREADS - 1);
	heap_end();
}
END_TEST

/* ---- kernels and sandboxes ---- */

static const struct refusal {
	const char *name;
	int number;
	unsigned error;
	bool begun; /* the caches were */
} refusals[] = {
	{"no membarrier", SYS_membarrier, ENOSYS, false},
	{"membarrier is taken away", SYS_membarrier, ENOSYS, true},
	{"membarrier is not permitted", SYS_membarrier, EPERM, false},
	{"membarrier is not permitted any more", SYS_membarrier, EPERM, true},
	{"threads cannot be asked about", SYS_tgkill, EPERM, false},
	{"threads cannot be asked about any more", SYS_tgkill, ENOSYS, true},
};

/* What children say goes to the test by their output. */
static int work_refused(void *arg)
{
	const struct refusal *refusal = arg;

	heap_make(512 * KIB);
	if (refusal->begun) {
		live_shortly(&workers[0]);
		workers_begin(work, THREADS);
	}
	if (!system_call_refuse(refusal->number, refusal->error))
		return 77;
	if (!refusal->begun)
		workers_begin(work, THREADS);
	for (unsigned round = 0; round < rounds(2000); round++)
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
	workers_end(THREADS);
	for (unsigned count = 0; count < 20; count++) {
		workers_begin(live_shortly, THREADS);
		workers_end(THREADS);
	}
	heap_end();
	return 0;
}

START_TEST(the_kernel_refuses)
{
	const struct refusal *refusal = &refusals[_i];
	struct child child;

	/* Valgrind knows no filters, and no caches are begun while a tool listens. */
	if (is_watched() && !is_thread_sanitized())
		return;
	child_run(&child, work_refused, (void *)(uintptr_t)refusal);
	if (WIFEXITED(child.status) && WEXITSTATUS(child.status) == 77)
		return;
	ck_assert_msg(!child.status, "%s: wait status 0x%x: %s%s", refusal->name,
		      (unsigned)child.status, child.out, child.err);
}
END_TEST

static void thread_tests_add(TCase *tcase)
{
	tcase_add_loop_test(tcase, many_threads_with_a_model, 0, 2);
	tcase_add_loop_test(tcase, many_threads_in_a_buffer, 0, 4);
	tcase_add_test(tcase, blocks_change_hands);
	tcase_add_test(tcase, short_lived_threads_leave_nothing);
	tcase_add_loop_test(tcase, frees_after_all_destructors, 0, 2);
	tcase_add_test(tcase, cancelled_threads_leave_nothing);
	tcase_add_test(tcase, no_call_ends_a_thread);
	tcase_add_test(tcase, walks_and_figures_meanwhile);
	tcase_add_test(tcase, a_reset_takes_what_is_cached);
	tcase_add_test(tcase, a_heap_ends_with_its_caches);
}

static void refusal_tests_add(TCase *tcase)
{
	tcase_add_loop_test(tcase, no_refusal_while_a_cache_has_room, 0, 4);
	tcase_add_loop_test(tcase, freed_blocks_are_one_block, 0, 2);
	tcase_add_loop_test(tcase, each_request_finds_what_is_cached, 0, WAYS);
	tcase_add_test(tcase, a_slide_finds_what_is_cached);
	tcase_add_test(tcase, a_limit_counts_nothing_twice);
	tcase_add_test(tcase, a_refusal_handler_frees_into_a_cache);
}

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("cached", &tcase, 120);

	thread_tests_add(tcase);
	refusal_tests_add(tcase);
	tcase_add_test(tcase, forks_while_threads_work);
	tcase_add_test(tcase, fork_handlers_use_the_heap);
	tcase_add_test(tcase, a_child_of_vfork_uses_the_heap);
	tcase_add_loop_test(tcase, the_kernel_refuses, 0,
			    (int)(sizeof(refusals) / sizeof(*refusals)));
	return suite_run(suite);
}
