/* SPDX-License-Identifier: MIT */
/*
 * threads.c - throughput of several threads: all on one heap with the default lock, or with caches;
 * each on a heap of its own; and glibc's malloc() for comparison.
 *
 * Each thread frees a random one of its blocks and allocates another, over and over. Rounds of all
 * settings are interleaved; only the figure of a process with a single thread comes first, since
 * the library and glibc take no lock until a second thread was made.
 */
#include <bheap.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/memory.h"
#include "peers.h"
#include "random.h"
#include "sample.h"

#define THREADS_MAX 4
#define ROUNDS 11
#define BLOCKS 1000   /* live ones of each thread, of 16 to 515 bytes */
#define STEPS 2000000 /* a free and an allocation each, by one thread in one round */
#define TABLE 1048576 /* sizes and choices, decided before the clock runs */
#define REGION_SIZE ((size_t)64 << 20)

struct setting {
	const char *name;
	const struct allocator *allocator;
	bool own_heap;  /* each thread has a heap of its own */
	unsigned think; /* turns of an empty loop after each call: the program's own work */
	double alone[ROUNDS];
	double rates[THREADS_MAX + 1]
		    [ROUNDS]; /* by the number of threads: million calls a second */
};

struct worker {
	pthread_t thread;
	pthread_barrier_t *barrier;
	const struct setting *setting;
	void *heap;
	void *blocks[BLOCKS];
	uint16_t sizes[TABLE], choices[TABLE];
	double start, end;
};

/* No turns cost nothing. */
static inline void think(unsigned turns)
{
	if (turns == 0)
		return;
	for (volatile unsigned i = 0; i < turns; i++)
		continue;
}

static void *block_check(void *block)
{
	if (block == NULL) {
		fputs("threads: the heap is too small\n", stderr);
		exit(1);
	}
	return block;
}

static void worker_prepare(struct worker *worker, const struct setting *setting, uint64_t seed)
{
	worker->setting = setting;
	for (int i = 0; i < TABLE; i++) {
		worker->sizes[i] = (uint16_t)random_size(&seed, 16, 515);
		worker->choices[i] = (uint16_t)random_below(&seed, BLOCKS);
	}
	for (int i = 0; i < BLOCKS; i++)
		worker->blocks[i] =
			block_check(setting->allocator->alloc(worker->heap, worker->sizes[i]));
}

static void worker_finish(struct worker *worker)
{
	for (int i = 0; i < BLOCKS; i++)
		worker->setting->allocator->release(worker->heap, worker->blocks[i]);
}

static void worker_work(struct worker *worker)
{
	const struct setting *setting = worker->setting;
	const struct allocator *allocator = setting->allocator;

	worker->start = sample_wall_seconds();
	for (int step = 0; step < STEPS; step++) {
		int entry = step % TABLE;
		void **block = &worker->blocks[worker->choices[entry]];
		allocator->release(worker->heap, *block);
		think(setting->think);
		*block = block_check(allocator->alloc(worker->heap, worker->sizes[entry]));
		think(setting->think);
	}
	worker->end = sample_wall_seconds();
}

static void *worker_main(void *arg)
{
	struct worker *worker = arg;
	pthread_barrier_wait(worker->barrier);
	worker_work(worker);
	return NULL;
}

/*
 * A processor for each thread, as far as they go: left alone, two threads may share one for long.
 */
static void processor_choose(pthread_attr_t *attributes, unsigned index)
{
	cpu_set_t usable, one;
	if (sched_getaffinity(0, sizeof(usable), &usable) != 0)
		return;
	index %= (unsigned)CPU_COUNT(&usable);
	for (size_t processor = 0; processor < CPU_SETSIZE; processor++) {
		if (!CPU_ISSET(processor, &usable) || index-- != 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(processor, &one);
		pthread_attr_setaffinity_np(attributes, sizeof(one), &one);
		return;
	}
}

static void worker_begin(struct worker *worker, unsigned index)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	processor_choose(&attributes, index);
	if (pthread_create(&worker->thread, &attributes, worker_main, worker) != 0) {
		fputs("threads: cannot make a thread\n", stderr);
		exit(1);
	}
	pthread_attr_destroy(&attributes);
}

static void workers_run(struct worker *workers, unsigned count)
{
	pthread_barrier_t barrier;
	pthread_barrier_init(&barrier, NULL, count);
	for (unsigned i = 0; i < count; i++) {
		workers[i].barrier = &barrier;
		worker_begin(&workers[i], i);
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_barrier_destroy(&barrier);
}

/* Million calls a second of count threads together; count 0: of the main thread alone. */
static double rate_measure(const struct setting *setting, unsigned count)
{
	static struct worker workers[THREADS_MAX];
	static void *regions[THREADS_MAX], *heaps[THREADS_MAX];
	const struct allocator *allocator = setting->allocator;
	unsigned used = count == 0 ? 1 : count, heap_count = setting->own_heap ? used : 1;

	for (unsigned i = 0; i < heap_count; i++) {
		regions[i] = memory_map(REGION_SIZE);
		heaps[i] = allocator->open(allocator, regions[i], REGION_SIZE);
	}
	for (unsigned i = 0; i < used; i++) {
		workers[i].heap = heaps[setting->own_heap ? i : 0];
		worker_prepare(&workers[i], setting, i + 1);
	}
	if (count == 0)
		worker_work(&workers[0]);
	else
		workers_run(workers, count);

	double start = workers[0].start, end = workers[0].end;
	for (unsigned i = 0; i < used; i++) {
		start = workers[i].start < start ? workers[i].start : start;
		end = workers[i].end > end ? workers[i].end : end;
		worker_finish(&workers[i]);
	}
	for (unsigned i = 0; i < heap_count; i++) {
		allocator->close(heaps[i]);
		memory_unmap(regions[i], REGION_SIZE);
	}
	return 2.0 * STEPS * used / (end - start) / 1e6;
}

static void cell_print(double *rates, double base)
{
	struct summary rate = sample_summarise(rates, ROUNDS);
	printf("  %6.1f (%5.1f to %5.1f) %4.2f", rate.median, rate.low_quartile, rate.high_quartile,
	       rate.median / base);
}

static void setting_print(struct setting *setting)
{
	double base = sample_summarise(setting->rates[1], ROUNDS).median;
	printf("%-22s", setting->name);
	cell_print(setting->alone, base);
	for (unsigned count = 1; count <= THREADS_MAX; count *= 2)
		cell_print(setting->rates[count], base);
	putchar('\n');
}

int main(void)
{
	static struct setting settings[5];
	static struct allocator cached;
	const size_t setting_count = sizeof(settings) / sizeof(settings[0]);
	settings[0] = (struct setting){.name = "one heap", .allocator = &allocator_bheap};
	settings[1] = (struct setting){
		.name = "one heap, with work", .allocator = &allocator_bheap, .think = 100};
	settings[2] = (struct setting){
		.name = "a heap per thread", .allocator = &allocator_bheap, .own_heap = true};
	cached = allocator_bheap;
	cached.flags = BHEAP_CACHED;
	settings[3] = (struct setting){.name = "one heap, cached", .allocator = &cached};
	settings[4] = (struct setting){.name = "glibc", .allocator = &allocator_glibc};

	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < setting_count; i++)
			settings[i].alone[round] = rate_measure(&settings[i], 0);
	for (int round = 0; round < ROUNDS; round++)
		for (unsigned count = 1; count <= THREADS_MAX; count *= 2)
			for (size_t i = 0; i < setting_count; i++)
				settings[i].rates[count][round] = rate_measure(&settings[i], count);

	printf("\nThreads: million calls a second, median (quartiles) and as a multiple of one thread's;"
	       " %ld processors\n%-22s%29s%29s%29s%29s\n",
	       sysconf(_SC_NPROCESSORS_ONLN), "", "single-threaded", "1 thread", "2 threads",
	       "4 threads");
	for (size_t i = 0; i < setting_count; i++)
		setting_print(&settings[i]);
	return 0;
}
