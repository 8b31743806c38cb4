/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c - many threads on one heap and on many, forks in the middle of their work, calls
 * from callbacks and handlers, and the race for the default heap. What threads find wrong they
 * return as words: assertions belong to the thread of the test.
 */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define BLOCKS 48
#define HEAP_SIZE (256 * 1024)

struct held {
	unsigned char *ptr;
	size_t size;
	uint64_t seed;
};

struct worker {
	pthread_t thread;
	bheap_t *heap;
	uint64_t random;
	unsigned rounds; /* 0: until told to stop */
	atomic_bool *stop;
	struct held held[BLOCKS];
	const char *wrong; /* what went wrong, or NULL */
};

/* ---- mixed operations ---- */

static unsigned rounds(unsigned usual)
{
	return is_watched() ? usual / 20 : usual;
}

static const char *held_verify(const struct worker *worker, const struct held *held)
{
	if (!pattern_holds(held->ptr, held->size, held->seed))
		return "the content of a block changed";
	return bheap_usable_size(worker->heap, held->ptr) < held->size ? "a block is too small"
								       : NULL;
}

static void *block_make(struct worker *worker, size_t size)
{
	size_t alignment = (size_t)16 << random_below(&worker->random, 6);

	switch (random_below(&worker->random, 4)) {
	case 0: return bheap_calloc(worker->heap, 1, size);
	case 1: return bheap_aligned_alloc(worker->heap, alignment, size);
	default: return bheap_alloc(worker->heap, size);
	}
}

static void held_fill(struct worker *worker, struct held *held, unsigned char *ptr, size_t size)
{
	*held = (struct held){ptr, size, random_next(&worker->random)};
	pattern_fill(ptr, size, held->seed);
}

static const char *held_resize(struct worker *worker, struct held *held, size_t size)
{
	unsigned char *ptr = bheap_realloc(worker->heap, held->ptr, size);
	size_t kept = size < held->size ? size : held->size;

	if (!ptr)
		return errno == ENOMEM ? NULL : "a resize was refused";
	if (!pattern_holds(ptr, kept, held->seed))
		return "a resize lost content";
	held_fill(worker, held, ptr, size);
	return NULL;
}

static const char *heap_look(bheap_t *heap, uint64_t choice)
{
	struct bheap_stats stats;

	switch (choice) {
	case 0: return bheap_check(heap, NULL) ? "the checker finds damage" : NULL;
	case 1:
		return bheap_stats(heap, &stats) || stats.used + stats.free != stats.size
			       ? "the figures are wrong"
			       : NULL;
	default: bheap_trim(heap); return NULL;
	}
}

static const char *work_once(struct worker *worker)
{
	struct held *held = &worker->held[random_below(&worker->random, BLOCKS)];
	size_t size =
		1 + random_below(&worker->random, random_below(&worker->random, 8) ? 300 : 5000);
	uint64_t choice = random_below(&worker->random, 500);
	const char *wrong;
	void *ptr;

	if (choice < 3)
		return heap_look(worker->heap, choice);
	if (!held->ptr) {
		ptr = block_make(worker, size);
		if (ptr)
			held_fill(worker, held, ptr, size);
		return NULL;
	}
	wrong = held_verify(worker, held);
	if (wrong || choice < 150)
		return wrong ? wrong : held_resize(worker, held, size);
	ptr = held->ptr;
	held->ptr = NULL;
	return bheap_free(worker->heap, ptr) ? "a free was refused" : NULL;
}

static const char *work_end(struct worker *worker)
{
	for (int index = 0; index < BLOCKS; index++)
		if (worker->held[index].ptr && bheap_free(worker->heap, worker->held[index].ptr))
			return "the last free was refused";
	return NULL;
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (unsigned round = 0; !worker->wrong && (!worker->rounds || round < worker->rounds);
	     round++) {
		if (worker->stop && atomic_load_explicit(worker->stop, memory_order_relaxed))
			break;
		worker->wrong = work_once(worker);
	}
	if (!worker->wrong)
		worker->wrong = work_end(worker);
	return NULL;
}

static void worker_begin(struct worker *worker, bheap_t *heap, unsigned limit, atomic_bool *stop,
			 uint64_t seed)
{
	*worker = (struct worker){.heap = heap, .random = seed, .rounds = limit, .stop = stop};
	ck_assert_int_eq(pthread_create(&worker->thread, NULL, work, worker), 0);
}

static void worker_end(struct worker *worker)
{
	ck_assert_int_eq(pthread_join(worker->thread, NULL), 0);
	ck_assert_msg(!worker->wrong, "%s", worker->wrong);
}

/* Nothing is left, nothing was reported, nothing is broken. */
static void heap_assert_clean(bheap_t *heap, const struct faults *faults)
{
	struct bheap_stats stats;
	struct bheap_fault fault;

	ck_assert_msg(!bheap_check(heap, &fault), "%s", fault.text);
	ck_assert_int_eq(bheap_stats(heap, &stats), 0);
	ck_assert_uint_eq(stats.live_blocks, 0);
	ck_assert_uint_eq(stats.largest_free, stats.size);
	ck_assert_uint_eq(stats.allocations, stats.frees);
	ck_assert_msg(!faults->count, "%s", faults->last.text);
}

/* ---- one heap ---- */

enum place { MAPPED, BUFFER, SHARED, CLASSIC };

static const struct {
	enum place place;
	unsigned flags;
} kinds[] = {
	{MAPPED, 0},
	{MAPPED, BHEAP_GUARD},
	{MAPPED, BHEAP_REALTIME},
	{BUFFER, 0},
	{SHARED, 0},
	{SHARED, BHEAP_OWNED},
	{CLASSIC, 0},
	{MAPPED, BHEAP_CACHED},
	{BUFFER, BHEAP_CACHED},
};

#define KINDS ((int)(sizeof(kinds) / sizeof(*kinds)))

/* Of private heaps with a lock. */
static const unsigned locked[] = {0, BHEAP_GUARD, BHEAP_CACHED};

#define LOCKED ((int)(sizeof(locked) / sizeof(*locked)))

static char buffer[HEAP_SIZE];

static bheap_t *heap_make(enum place place, unsigned flags)
{
	bheap_t *heap;
	int fd;

	switch (place) {
	case MAPPED: return bheap_create(HEAP_SIZE, flags);
	case BUFFER: return bheap_create_in(buffer, HEAP_SIZE, flags);
	case SHARED:
		fd = memfd_create("heap", MFD_CLOEXEC);
		heap = bheap_open_fd(fd, HEAP_SIZE, flags);
		close(fd);
		return heap;
	default: return init_heap(HEAP_SIZE) ? NULL : bheap_default();
	}
}

START_TEST(many_threads_on_one_heap)
{
	bheap_t *heap = heap_make(kinds[_i].place, kinds[_i].flags);
	struct worker workers[THREADS];
	struct faults faults;

	faults_expect(&faults);
	ck_assert_ptr_nonnull(heap);
	for (int index = 0; index < THREADS; index++)
		worker_begin(&workers[index], heap, rounds(20000), NULL, (uint64_t)index);
	for (int index = 0; index < THREADS; index++)
		worker_end(&workers[index]);
	heap_assert_clean(heap, &faults);
	ck_assert_int_eq(bheap_destroy(heap), kinds[_i].place == CLASSIC ? -1 : 0);
}
END_TEST

/* Whichever thread the signal meets counts it. */
static atomic_int alarms;

static void alarm_count(int number)
{
	(void)number;
	atomic_fetch_add(&alarms, 1);
}

/* A timer goes off all the while, and interrupts what waits: no call fails. */
START_TEST(signals_interrupt_nothing)
{
	/* Not so often that a slow machine does nothing else. */
	const suseconds_t interval = is_watched() || is_emulated() ? 20000 : 250;
	const struct itimerval often = {{0, interval}, {0, interval}}, never = {{0, 0}, {0, 0}};
	const struct sigaction count = {.sa_handler = alarm_count};
	bheap_t *heap = heap_make(kinds[_i].place, kinds[_i].flags);
	struct worker workers[2];
	struct faults faults;

	faults_expect(&faults);
	ck_assert_ptr_nonnull(heap);
	ck_assert_int_eq(sigaction(SIGALRM, &count, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
	for (int index = 0; index < 2; index++)
		worker_begin(&workers[index], heap, rounds(20000), NULL, (uint64_t)index);
	for (int index = 0; index < 2; index++)
		worker_end(&workers[index]);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
	ck_assert(atomic_load(&alarms) || is_watched() || is_emulated());
	heap_assert_clean(heap, &faults);
	ck_assert_int_eq(bheap_destroy(heap), kinds[_i].place == CLASSIC ? -1 : 0);
}
END_TEST

/* What one thread allocates another frees. */
static _Atomic(void *) mailbox[64];

static void *post(void *arg)
{
	bheap_t *heap = ((struct worker *)arg)->heap;
	uint64_t random = (uintptr_t)arg;

	for (unsigned round = rounds(20000); round; round--) {
		size_t size = 8 + random_below(&random, 500);
		uint64_t *block = bheap_alloc(heap, size);

		if (block)
			*block = size;
		block = atomic_exchange(&mailbox[random_below(&random, 64)], block);
		if (block && (bheap_usable_size(heap, block) < *block || bheap_free(heap, block)))
			((struct worker *)arg)->wrong = "a block of another thread was refused";
	}
	return NULL;
}

START_TEST(blocks_change_hands)
{
	bheap_t *heap = bheap_create(HEAP_SIZE, locked[_i]);
	struct worker workers[THREADS];
	struct faults faults;

	faults_expect(&faults);
	for (int index = 0; index < THREADS; index++) {
		workers[index] = (struct worker){.heap = heap};
		ck_assert_int_eq(
			pthread_create(&workers[index].thread, NULL, post, &workers[index]), 0);
	}
	for (int index = 0; index < THREADS; index++)
		worker_end(&workers[index]);
	for (int index = 0; index < 64; index++)
		ck_assert_int_eq(bheap_free(heap, mailbox[index]), 0);
	heap_assert_clean(heap, &faults);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* ---- a heap per thread ---- */

static void *work_on_own_heaps(void *arg)
{
	struct worker *worker = arg;
	unsigned limit = worker->rounds,
		 flags[] = {0, BHEAP_UNLOCKED, BHEAP_UNLOCKED | BHEAP_GUARD};

	for (unsigned life = 0; life < 12 && !worker->wrong; life++) {
		worker->heap = bheap_create(HEAP_SIZE, flags[life % 3]);
		worker->rounds = limit / 12;
		memset(worker->held, 0, sizeof(worker->held));
		if (!worker->heap)
			worker->wrong = "no heap";
		else
			work(worker);
		if (!worker->wrong &&
		    (bheap_check(worker->heap, NULL) || bheap_destroy(worker->heap)))
			worker->wrong = "the heap of the thread is damaged";
	}
	return NULL;
}

START_TEST(a_heap_per_thread)
{
	struct worker workers[THREADS];
	struct faults faults;

	faults_expect(&faults);
	for (int index = 0; index < THREADS; index++) {
		workers[index] =
			(struct worker){.rounds = rounds(48000), .random = (uint64_t)index};
		ck_assert_int_eq(pthread_create(&workers[index].thread, NULL, work_on_own_heaps,
						&workers[index]),
				 0);
	}
	for (int index = 0; index < THREADS; index++)
		worker_end(&workers[index]);
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

/* ---- fork ---- */

/* In the child: the heap works at once, what the parent held is there, nothing is broken. */
static int child_use(bheap_t *heap, const struct held *held)
{
	struct faults faults;
	struct worker worker = {.heap = heap, .random = 1, .rounds = 100};

	faults_expect(&faults);
	worker.held[0].ptr = bheap_alloc(heap, 64);
	if (!worker.held[0].ptr)
		return 1;
	held_fill(&worker, &worker.held[0], worker.held[0].ptr, 64);
	if (bheap_check(heap, NULL))
		return 2;
	if (held_verify(&worker, held))
		return 3;
	work(&worker);
	if (worker.wrong || bheap_free(heap, held->ptr) || bheap_check(heap, NULL))
		return 4;
	/* Another thread may have been inside; nothing else may have happened. */
	return faults.count > 1 || (faults.count && faults.last.kind != BHEAP_FAULT_RECOVERED) ? 5
											       : 0;
}

START_TEST(forks_while_threads_work)
{
	bheap_t *heap = bheap_create(HEAP_SIZE, locked[_i]);
	unsigned forks = is_watched() ? 20 : 300;
	struct worker workers[THREADS - 1], own = {.heap = heap};
	struct faults faults;
	struct held held;
	atomic_bool stop = false;

	faults_expect(&faults);
	held_fill(&own, &held, bheap_alloc(heap, 1000), 1000);
	for (int index = 0; index < THREADS - 1; index++)
		worker_begin(&workers[index], heap, 0, &stop, (uint64_t)index);
	for (unsigned count = 0; count < forks; count++) {
		int status;
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		if (!child) {
			leaks_ignore();
			child_exit(child_use(heap, &held));
		}
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_msg(!status, "fork %u: wait status 0x%x", count, (unsigned)status);
	}
	atomic_store(&stop, true);
	for (int index = 0; index < THREADS - 1; index++)
		worker_end(&workers[index]);
	ck_assert(pattern_holds(held.ptr, held.size, held.seed));
	ck_assert_int_eq(bheap_free(heap, held.ptr), 0);
	heap_assert_clean(heap, &faults);
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* ---- callbacks ---- */

struct visit {
	bheap_t *heap, *other;
	unsigned char *block;
	unsigned calls;
};

static int callback_nested(const struct bheap_block *block, void *arg)
{
	(void)block;
	++*(unsigned *)arg;
	return 0;
}

#define assert_refused(call, failure)                                                              \
	do {                                                                                       \
		errno = 0;                                                                         \
		ck_assert_msg((call) == (failure) && errno == EDEADLK,                             \
			      "not refused with EDEADLK but %s: %s", strerrorname_np(errno),       \
			      #call);                                                              \
	} while (0)

static void calls_refuse(struct visit *visit)
{
	struct bheap_stats stats;
	struct bheap_fault fault;
	unsigned visited = 0;
	bheap_t *heap = visit->heap;

	assert_refused(bheap_alloc(heap, 10), NULL);
	assert_refused(bheap_calloc(heap, 1, 10), NULL);
	assert_refused(bheap_aligned_alloc(heap, 64, 10), NULL);
	assert_refused(bheap_realloc(heap, NULL, 10), NULL);
	assert_refused(bheap_realloc(heap, visit->block, 10), NULL);
	assert_refused(bheap_realloc(heap, visit->block, 10000), NULL);
	assert_refused(bheap_reallocarray(heap, visit->block, 5, 2), NULL);
	assert_refused(bheap_strdup(heap, "text"), NULL);
	assert_refused(bheap_strndup(heap, "text", 2), NULL);
	assert_refused(heap_free(heap, visit->block), -1);
	assert_refused(heap_free(heap, visit), -1);
	assert_refused(bheap_usable_size(heap, visit->block), 0);
	assert_refused(bheap_owns(heap, visit->block), false);
	assert_refused(bheap_stats(heap, &stats), -1);
	assert_refused(bheap_walk(heap, callback_nested, &visited), -1);
	assert_refused(bheap_check(heap, &fault), -1);
	assert_refused(bheap_display(heap, stdout), -1);
	assert_refused(bheap_trim(heap), 0);
	assert_refused(bheap_set_fault_handler(heap, NULL, NULL), -1);
	assert_refused(bheap_destroy(heap), -1);
	ck_assert_uint_eq(visited, 0);
}

static void calls_work(bheap_t *heap)
{
	unsigned visited = 0;
	void *block = bheap_alloc(heap, 100);

	ck_assert_ptr_nonnull(block);
	block = bheap_realloc(heap, block, 2000);
	ck_assert_ptr_nonnull(block);
	ck_assert_int_eq(bheap_walk(heap, callback_nested, &visited), 0);
	ck_assert_uint_eq(visited, 2);
	ck_assert_int_eq(bheap_free(heap, block), 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}

static int callback_calls(const struct bheap_block *block, void *arg)
{
	struct visit *visit = arg;

	ck_assert(block->size);
	calls_refuse(visit);
	calls_work(visit->other);
	visit->calls++;
	return 0;
}

START_TEST(calls_from_a_callback)
{
	static const unsigned flags[] = {0, BHEAP_UNLOCKED, BHEAP_GUARD, BHEAP_CACHED};
	struct visit visit = {.other = bheap_create(HEAP_SIZE, 0)};
	struct faults faults;

	faults_expect(&faults);
	if (_i >= 4)
		threads_begin();
	visit.heap = bheap_create(HEAP_SIZE, flags[_i % 4]);
	visit.block = bheap_alloc(visit.heap, 50);
	memset(visit.block, 7, 50);
	ck_assert_int_eq(bheap_walk(visit.heap, callback_calls, &visit), 0);
	ck_assert_uint_eq(visit.calls, 2);
	ck_assert_uint_eq(visit.block[49], 7);
	ck_assert_uint_eq(faults.count, 0);
	calls_work(visit.other);
	ck_assert_int_eq(bheap_free(visit.heap, visit.block), 0);
	bheap_trim(visit.heap); /* merges what a cache has */
	calls_work(visit.heap);
	ck_assert_int_eq(bheap_destroy(visit.heap), 0);
	ck_assert_int_eq(bheap_destroy(visit.other), 0);
}
END_TEST

/* Another thread is not refused: it waits for the walk to end. */
static atomic_bool walk_over;

static void *allocate_once(void *arg)
{
	struct worker *worker = arg;
	void *block = bheap_alloc(worker->heap, 10);

	if (!block || !atomic_load(&walk_over))
		worker->wrong = block ? "it did not wait" : "it was refused";
	return NULL;
}

static int callback_slow(const struct bheap_block *block, void *arg)
{
	struct worker *worker = arg;

	(void)block;
	pthread_create(&worker->thread, NULL, allocate_once, worker);
	usleep(50000);
	atomic_store(&walk_over, true);
	return 1;
}

START_TEST(other_threads_wait_for_a_walk)
{
	struct worker worker = {.heap = bheap_create(HEAP_SIZE, 0)};

	ck_assert_int_eq(bheap_walk(worker.heap, callback_slow, &worker), 1);
	worker_end(&worker);
	ck_assert_int_eq(bheap_destroy(worker.heap), 0);
}
END_TEST

/* ---- a fork during a walk ---- */

static atomic_int walk_step; /* 1: inside the callback; 2: it may leave */

static int callback_waiting(const struct bheap_block *block, void *arg)
{
	(void)block;
	(void)arg;
	atomic_store(&walk_step, 1);
	while (atomic_load(&walk_step) < 2)
		usleep(1000);
	return 1;
}

static void *walk_slowly(void *arg)
{
	bheap_walk(arg, callback_waiting, NULL);
	return NULL;
}

static void *allocate_beside(void *arg)
{
	return bheap_alloc(arg, 10);
}

/* The new thread has the stack, and so the identity, of the one that walks in the parent. */
static int use_by_a_new_thread(void *arg)
{
	pthread_t thread;
	void *block = NULL;

	if (pthread_create(&thread, NULL, allocate_beside, arg))
		return 99;
	pthread_join(thread, &block);
	return block ? 0 : 1;
}

static int use_in_a_callback(const struct bheap_block *block, void *arg)
{
	(void)block;
	errno = 0;
	return !bheap_alloc(arg, 10) && errno == EDEADLK ? 50 : 51;
}

/* A walk of the child's own counts, whichever thread walks in the parent. */
static int walk_in_child(void *arg)
{
	return bheap_walk(arg, use_in_a_callback, arg);
}

START_TEST(forks_while_a_thread_walks)
{
	static int (*const uses[])(void *) = {use_by_a_new_thread, walk_in_child};
	bheap_t *heap = bheap_create(HEAP_SIZE, 0);
	struct faults faults;
	struct child child;
	pthread_t thread;

	/* The thread sanitizer and qemu let no child of threads make threads. */
	if (!_i && (is_watched() || is_emulated()))
		return;
	faults_expect(&faults);
	ck_assert_int_eq(pthread_create(&thread, NULL, walk_slowly, heap), 0);
	while (atomic_load(&walk_step) < 1)
		usleep(1000);
	child_run(&child, uses[_i], heap);
	atomic_store(&walk_step, 2);
	pthread_join(thread, NULL);
	child_assert_exited(&child, _i ? 50 : 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 10));
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

static int use_by_a_callback(void *arg)
{
	return use_in_a_callback(NULL, arg);
}

static int callback_forks(const struct bheap_block *block, void *arg)
{
	struct child child;

	(void)block;
	child_run(&child, use_by_a_callback, arg);
	return WIFEXITED(child.status) ? WEXITSTATUS(child.status) : 1;
}

/* A callback that forks is a callback in the child too. */
START_TEST(a_callback_that_forks)
{
	bheap_t *heap = bheap_create(HEAP_SIZE, 0);

	if (_i)
		threads_begin();
	ck_assert_int_eq(bheap_walk(heap, callback_forks, heap), 50);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 10));
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* ---- handlers ---- */

static atomic_uint heard;

static void handler_calls(const struct bheap_fault *fault, void *arg)
{
	bheap_t *heap = arg;
	void *block = bheap_alloc(heap, 30);
	struct bheap_stats stats;

	if (fault->kind == BHEAP_FAULT_DOUBLE_FREE && block && !bheap_stats(heap, &stats) &&
	    !bheap_check(heap, NULL) && !bheap_free(heap, block))
		atomic_fetch_add(&heard, 1);
}

static void *free_twice(void *arg)
{
	struct worker *worker = arg;
	/* At the end of the heap, where no other thread's block will be. */
	void *block = worker->held[0].ptr;

	for (unsigned round = worker->rounds; round; round--) {
		errno = 0;
		if (heap_free(worker->heap, block) != -1 || errno != EINVAL)
			worker->wrong = "a double free was not refused";
	}
	return NULL;
}

START_TEST(handlers_may_call)
{
	bheap_t *heap = bheap_create(HEAP_SIZE, locked[_i]);
	struct worker workers[THREADS];
	void *last = NULL;

	bheap_set_fault_handler(heap, handler_calls, heap);
	/* All but what the handlers need; the last block is freed, and so on, for ever. */
	for (int index = 0; index < 64; index++)
		last = bheap_alloc(heap, 1000);
	ck_assert_int_eq(heap_free(heap, last), 0);
	last = (char *)last + 100 * 16;
	for (int index = 0; index < THREADS; index++) {
		workers[index] = (struct worker){
			.heap = heap, .rounds = rounds(2000), .held = {{.ptr = last}}};
		ck_assert_int_eq(
			pthread_create(&workers[index].thread, NULL, free_twice, &workers[index]),
			0);
	}
	for (int index = 0; index < THREADS; index++)
		worker_end(&workers[index]);
	ck_assert_uint_eq(atomic_load(&heard), THREADS * rounds(2000));
	ck_assert_int_eq(bheap_destroy(heap), 0);
}
END_TEST

/* ---- the default heap ---- */

static pthread_barrier_t start;

static void *init_race(void *arg)
{
	pthread_barrier_wait(&start);
	errno = 0;
	*(int *)arg = init_heap(HEAP_SIZE) ? errno : 0;
	return classic_free(balloc(16)) ? arg : NULL;
}

static int race(void *arg)
{
	pthread_t threads[8];
	int results[8], winners = 0;

	(void)arg;
	pthread_barrier_init(&start, NULL, 8);
	for (int index = 0; index < 8; index++)
		pthread_create(&threads[index], NULL, init_race, &results[index]);
	for (int index = 0; index < 8; index++) {
		void *wrong;

		pthread_join(threads[index], &wrong);
		if (wrong || (results[index] && results[index] != EALREADY))
			return 2;
		winners += !results[index];
	}
	return winners == 1 && bheap_default() && !bheap_check(bheap_default(), NULL) ? 0 : 1;
}

START_TEST(one_of_many_makes_the_default_heap)
{
	for (int count = is_watched() ? 5 : 50; count; count--) {
		struct child child;

		child_run(&child, race, NULL);
		child_assert_exited(&child, 0);
	}
}
END_TEST

int main(void)
{
	TCase *tcase, *unordered = tcase_create("unordered");
	Suite *suite = suite_of("threads", &tcase, 60);

	tcase_add_loop_test(tcase, many_threads_on_one_heap, 0, KINDS);
	tcase_add_loop_test(tcase, signals_interrupt_nothing, 0, KINDS);
	tcase_add_test(tcase, a_heap_per_thread);
	tcase_add_loop_test(tcase, calls_from_a_callback, 0, 8);
	tcase_add_test(tcase, other_threads_wait_for_a_walk);
	tcase_add_loop_test(tcase, handlers_may_call, 0, LOCKED);
	/* Ordered by atomic variables, or forked: Helgrind knows of locks and threads alone. */
	suite_add_tcase(suite, unordered);
	tcase_set_timeout(unordered, is_watched() ? 1200 : 60);
	tcase_add_loop_test(unordered, blocks_change_hands, 0, LOCKED);
	tcase_add_loop_test(unordered, forks_while_threads_work, 0, LOCKED);
	tcase_add_loop_test(unordered, forks_while_a_thread_walks, 0, 2);
	tcase_add_loop_test(unordered, a_callback_that_forks, 0, 2);
	tcase_add_test(unordered, one_of_many_makes_the_default_heap);
	return suite_run(suite);
}
