/* SPDX-License-Identifier: MIT */
/*
 * threads.c - a program for sizing.sh and running.sh: threads that allocate and free blocks of many
 * sizes, and live on with what their caches keep while the first thread asks for as much again, in
 * one block. With "holes": one thread, whose blocks leave holes that no later block fits in. With
 * "turns": threads of which each has ended when the next begins. With "busy": they go on for so
 * many seconds. Status 1 if a request is refused.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS 4
#define BLOCKS 600
#define STEPS 30000
#define LARGE ((size_t)1400 << 10) /* more than the threads have together at any time */

static pthread_barrier_t begun, freed, ended;
static time_t until; /* or 0 */

/* After so many steps, or when the time has come. */
static int is_done(unsigned step)
{
	if (until)
		return step % 1000 == 0 && time(NULL) >= until;
	return step == STEPS;
}

static void *work(void *number)
{
	uint32_t seed = (uint32_t)(uintptr_t)number;
	static __thread void *blocks[BLOCKS];
	void *failed = NULL;

	pthread_barrier_wait(
		&begun); /* what the C library has for a thread lies below their blocks */
	for (unsigned step = 0; !is_done(step); step++) {
		size_t index = (seed >> 8) % BLOCKS;

		seed = seed * 1103515245 + 12345;
		free(blocks[index]);
		blocks[index] = malloc(16 + (seed >> 12) % 1000);
		if (!blocks[index])
			failed = number;
	}
	for (size_t index = 0; index < BLOCKS; index++)
		free(blocks[index]);
	pthread_barrier_wait(&freed);
	pthread_barrier_wait(&ended);
	return failed;
}

#define SMALL 1100
#define SMALL_COUNT 8000

/* At most 8.6 MiB live, in 12.4 MiB. */
static int make_holes(void)
{
	static void *blocks[SMALL_COUNT];
	int failed = 0;

	for (size_t index = 0; index < SMALL_COUNT; index++) {
		blocks[index] = malloc(SMALL);
		failed |= !blocks[index];
	}
	for (size_t index = 0; index < SMALL_COUNT; index += 2)
		free(blocks[index]);
	for (size_t index = 0; index < SMALL_COUNT; index += 4) {
		blocks[index] = malloc(2 * SMALL);
		failed |= !blocks[index];
	}
	return failed;
}

static int run_threads(void)
{
	pthread_t threads[THREADS];
	void *large, *result;
	int failed = 0;

	pthread_barrier_init(&begun, NULL, THREADS);
	pthread_barrier_init(&freed, NULL, THREADS + 1);
	pthread_barrier_init(&ended, NULL, THREADS + 1);
	for (uintptr_t index = 0; index < THREADS; index++)
		if (pthread_create(&threads[index], NULL, work, (void *)(index + 1)))
			return 2;
	pthread_barrier_wait(&freed);
	large = malloc(LARGE);
	failed = !large;
	free(large);
	pthread_barrier_wait(&ended);
	for (size_t index = 0; index < THREADS; index++) {
		pthread_join(threads[index], &result);
		failed |= result != NULL;
	}
	return failed;
}

static void *turn(void *unused)
{
	free(malloc(SMALL));
	return unused;
}

static int take_turns(void)
{
	pthread_t thread;

	for (size_t index = 0; index < 20; index++)
		if (pthread_create(&thread, NULL, turn, NULL) || pthread_join(thread, NULL))
			return 2;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "busy"))
		until = time(NULL) + atoi(argv[2]);
	if (argc == 1 || until)
		return run_threads();
	return argv[1][0] == 'h' ? make_holes() : take_turns();
}
