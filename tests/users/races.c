/* SPDX-License-Identifier: MIT */
/*
 * races.c - two threads on one heap, plain or "cached", which also walk and count it; "race": both
 * store to one block.
 */
#include <bheap.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 300

static bheap_t *heap;
static int *block;

static int visit(const struct bheap_block *visited, void *arg)
{
	(void)visited;
	(void)arg;
	return 0;
}

static void look(void)
{
	struct bheap_stats stats;

	if (bheap_walk(heap, visit, NULL) || bheap_stats(heap, &stats))
		abort();
}

static void *work(void *races)
{
	for (int round = 0; round < ROUNDS; round++) {
		char *own = bheap_alloc(heap, 40);

		if (!own)
			abort();
		memset(own, round, 40);
		if (bheap_free(heap, own))
			abort();
		if (round % 4 == 0)
			look();
		if (races)
			*block = round;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[2];
	char *races = argc > 2 ? argv[2] : NULL;

	heap = bheap_create(1 << 20, strcmp(argv[1], "cached") ? 0 : BHEAP_CACHED);
	if (!heap || !(block = bheap_alloc(heap, sizeof(*block))))
		return 1;
	work(NULL); /* until the lock would be this thread's own */
	for (int index = 0; index < 2; index++)
		pthread_create(&threads[index], NULL, work, races);
	for (int index = 0; index < 2; index++)
		pthread_join(threads[index], NULL);
	bheap_destroy(heap);
	return 0;
}
