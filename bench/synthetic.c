/* SPDX-License-Identifier: MIT */
/*
 * synthetic.c - made-up traces.
 *
 *   random50, random90   log-uniform sizes, random order, half or nine tenths of the room live
 *   lifo                         a stack that grows and shrinks by random stretches
 *   fifo                         a queue of constant length
 *   producer                     bursts of messages, freed in order by a consumer that lags behind
 *   coalesce                     every other free finds a free block on both sides
 */
#include "synthetic.h"

#include <stdio.h>
#include <stdlib.h>

#include "random.h"

#define OP_COUNT 300000
#define ROOM_SIZE ((size_t)16 << 20)

static void op_add(struct trace *trace, enum trace_kind kind, uint32_t slot, size_t size)
{
	struct trace_op op = {.slot = slot, .kind = (uint8_t)kind, .size = size};
	const char *fault = trace_append(trace, op);
	if (fault != NULL) {
		fprintf(stderr, "%s: %s\n", trace->name, fault);
		abort();
	}
}

/*
 * Slots 0 .. count - 1 are live; order holds them, and those not live after them, in random order.
 */
static void random_make(struct trace *trace, double occupancy)
{
	enum { LARGEST = 4096, SLOTS = ROOM_SIZE / 16 };
	uint32_t *order = malloc(SLOTS * sizeof(*order));
	size_t target_size = (size_t)((double)ROOM_SIZE * occupancy) - LARGEST / 2;
	uint64_t random = 1;
	uint32_t count = 0;

	if (order == NULL)
		abort();
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		order[slot] = slot;
	trace->room_size = ROOM_SIZE;
	while (trace->op_count < OP_COUNT) {
		if (trace->live_size < target_size) {
			op_add(trace, TRACE_ALLOC, order[count++],
			       random_size(&random, 16, LARGEST));
			continue;
		}
		uint32_t victim = random_below(&random, count--);
		uint32_t slot = order[victim];
		op_add(trace, TRACE_FREE, slot, 0);
		order[victim] = order[count];
		order[count] = slot;
	}
	free(order);
}

static void random50_make(struct trace *trace)
{
	random_make(trace, 0.5);
}

static void random90_make(struct trace *trace)
{
	random_make(trace, 0.9);
}

static void lifo_make(struct trace *trace)
{
	uint64_t random = 2;
	uint32_t depth = 0;

	while (trace->op_count < OP_COUNT) {
		uint32_t push = random_below(&random, 1000);
		for (uint32_t i = 0; i < push; i++)
			op_add(trace, TRACE_ALLOC, depth++, random_size(&random, 16, 1024));
		uint32_t pop = random_below(&random, (depth < 1000 ? depth : 1000) + 1);
		for (uint32_t i = 0; i < pop; i++)
			op_add(trace, TRACE_FREE, --depth, 0);
	}
}

static void fifo_make(struct trace *trace)
{
	enum { LENGTH = 10000 };
	uint64_t random = 3;

	for (uint32_t slot = 0; slot < LENGTH; slot++)
		op_add(trace, TRACE_ALLOC, slot, random_size(&random, 16, 4096));
	for (uint32_t oldest = 0; trace->op_count < OP_COUNT; oldest = (oldest + 1) % LENGTH) {
		op_add(trace, TRACE_FREE, oldest, 0);
		op_add(trace, TRACE_ALLOC, oldest, random_size(&random, 16, 4096));
	}
}

/* A ring of messages; head and tail count from the start. */
static void producer_make(struct trace *trace)
{
	enum { RING = 4096 };
	uint64_t random = 4;
	uint32_t head = 0, tail = 0;

	while (trace->op_count < OP_COUNT) {
		uint32_t burst = 1 + random_below(&random, 64);
		for (; burst > 0 && head - tail < RING; burst--)
			op_add(trace, TRACE_ALLOC, head++ % RING, random_size(&random, 32, 1024));
		burst = random_below(&random, 66);
		for (; burst > 0 && head != tail; burst--)
			op_add(trace, TRACE_FREE, tail++ % RING, 0);
	}
}

/*
 * Rows of four blocks: left, middle, right and a wall that stays. Left and right are freed first,
 * so that freeing the middle has to take two blocks of random size out of the index and put one in.
 */
static void coalesce_make(struct trace *trace)
{
	enum { ROWS = 2000, WALL = 3, ROW = 4 };
	uint64_t random = 5;

	for (uint32_t slot = 0; slot < ROWS * ROW; slot++)
		op_add(trace, TRACE_ALLOC, slot, random_size(&random, 16, 4096));
	while (trace->op_count < OP_COUNT) {
		for (uint32_t row = 0; row < ROWS * ROW; row += ROW) {
			op_add(trace, TRACE_FREE, row, 0);
			op_add(trace, TRACE_FREE, row + 2, 0);
		}
		for (uint32_t row = 0; row < ROWS * ROW; row += ROW)
			op_add(trace, TRACE_FREE, row + 1, 0);
		for (uint32_t slot = 0; slot < ROWS * ROW; slot++)
			if (slot % ROW != WALL)
				op_add(trace, TRACE_ALLOC, slot, random_size(&random, 16, 4096));
	}
}

void synthetic_make(struct trace *trace, size_t index)
{
	static const struct {
		const char *name;
		void (*make)(struct trace *trace);
	} makers[SYNTHETIC_COUNT] = {
		{"random50", random50_make}, {"random90", random90_make},
		{"lifo", lifo_make},         {"fifo", fifo_make},
		{"producer", producer_make}, {"coalesce", coalesce_make},
	};
	trace_begin(trace, makers[index].name);
	makers[index].make(trace);
}
