/* SPDX-License-Identifier: MIT */
/*
 * typed.c - blocks are reused for objects of other types, in buffers declared as any type: no store
 * of an object and none of the library's own bookkeeping may move past the other. Telling where the
 * optimiser sees the library's code, too (-flto).
 */
#include <bheap.h>
#include <stdio.h>
#include <stdlib.h>

#define SIZE 16384
#define ROUNDS 2000

static unsigned failures;

struct list {
	struct list *next;
	double value;
};

/* An object of each type, freed and allocated again as the next: 16 bytes are one free block's
 * links. */
static double reuse(bheap_t *heap, unsigned round)
{
	double sum;
	uint32_t *words = bheap_alloc(heap, 16);
	double *real;
	struct list *list;
	short *shorts;

	words[0] = words[1] = words[2] = words[3] = round;
	sum = words[0] + words[3];
	bheap_free(heap, words);
	real = bheap_alloc(heap, 16);
	real[0] = real[1] = round;
	sum += real[0] + real[1];
	bheap_free(heap, real);
	list = bheap_alloc(heap, sizeof(*list));
	list->next = list;
	list->value = round;
	sum += list->next->value;
	bheap_free(heap, list);
	shorts = bheap_calloc(heap, 8, sizeof(*shorts));
	shorts[0] = 1;
	for (unsigned i = 0; i < 8; i++)
		sum += shorts[i];
	bheap_free(heap, shorts);
	return sum;
}

/* A list of blocks with holes in it: every free has other neighbours. */
static double holes(bheap_t *heap, unsigned length)
{
	struct list *list = NULL, *next;
	double sum = 0;

	for (unsigned i = 0; i < length; i++) {
		struct list *node = bheap_alloc(heap, sizeof(*node));
		uint64_t *hole = bheap_alloc(heap, 16 * (1 + i % 5));

		node->next = list;
		node->value = i;
		list = node;
		hole[0] = hole[1] = i;
		bheap_free(heap, hole);
	}
	for (; list; list = next) {
		next = list->next;
		sum += list->value;
		bheap_free(heap, list);
	}
	return sum;
}

static void check(bheap_t *heap, const char *name)
{
	double sum = 0, want = 0;

	if (!heap)
		abort();
	for (unsigned round = 0; round < ROUNDS; round++) {
		sum += reuse(heap, round) + holes(heap, round % 100);
		want += 5.0 * round + 1 + (round % 100) * (round % 100 - 1.0) / 2;
	}
	if (sum != want || bheap_check(heap, NULL)) {
		printf("%s: the sum is %f, not %f\n", name, sum, want);
		failures++;
	}
	bheap_destroy(heap);
}

int main(void)
{
	static double reals[SIZE / sizeof(double)];
	static struct list lists[SIZE / sizeof(struct list)];
	short shorts[SIZE / sizeof(short)];

	check(bheap_create_in(reals, sizeof(reals), BHEAP_UNLOCKED), "reals");
	check(bheap_create_in(lists, sizeof(lists), BHEAP_UNLOCKED), "lists");
	check(bheap_create_in(shorts, sizeof(shorts), 0), "shorts");
	check(bheap_create(SIZE, BHEAP_UNLOCKED), "mapping");
	check(bheap_create(SIZE, BHEAP_GUARD), "guarded mapping");
	return failures != 0;
}
