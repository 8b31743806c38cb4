/* SPDX-License-Identifier: MIT */
/*
 * holdings.c - see holdings.h. A block that was resized belongs to the call that resized it last.
 */
#include "holdings.h"

#include <stdbool.h>
#include <stdlib.h>

#include "memory.h"

/* What is live in a slot. */
struct piece {
	size_t size;
	uint32_t stack;
	bool live;
};

static struct piece piece_after(const struct trace_op *op, uint32_t stack)
{
	if (op->kind == TRACE_FREE)
		return (struct piece){0};
	return (struct piece){op->size, stack, true};
}

size_t holdings_peak(const struct trace *trace)
{
	size_t *sizes = memory_zero(trace->slot_count + 1, sizeof(*sizes)), live = 0, peak = 0;
	size_t found = 0;

	for (size_t index = 0; index < trace->op_count; index++) {
		const struct trace_op *op = &trace->ops[index];
		size_t size = piece_after(op, 0).size;

		live += size - sizes[op->slot];
		sizes[op->slot] = size;
		if (live > peak) {
			peak = live;
			found = index + 1;
		}
	}
	free(sizes);
	return found;
}

static int pieces_order(const void *one, const void *other)
{
	const struct piece *left = one, *right = other;

	return (left->stack > right->stack) - (left->stack < right->stack);
}

static void piece_add(struct holdings *holdings, const struct piece *piece)
{
	struct holding *last = holdings->count ? &holdings->list[holdings->count - 1] : NULL;

	if (!piece->live)
		return;
	if (!last || last->stack != piece->stack) {
		last = &holdings->list[holdings->count++];
		*last = (struct holding){.stack = piece->stack};
	}
	last->bytes += piece->size;
	last->blocks++;
	holdings->bytes += piece->size;
	holdings->blocks++;
}

void holdings_make(struct holdings *holdings, const struct trace *trace, const struct calls *calls,
		   size_t op_count)
{
	size_t slots = trace->slot_count;
	struct piece *pieces = memory_zero(slots + 1, sizeof(*pieces));

	*holdings = (struct holdings){.list = memory_zero(slots + 1, sizeof(*holdings->list))};
	for (size_t op = 0; op < op_count; op++)
		pieces[trace->ops[op].slot] = piece_after(&trace->ops[op], calls_stack(calls, op));
	qsort(pieces, slots, sizeof(*pieces), pieces_order);
	for (size_t slot = 0; slot < slots; slot++)
		piece_add(holdings, &pieces[slot]);
	free(pieces);
}

void holdings_release(struct holdings *holdings)
{
	free(holdings->list);
	*holdings = (struct holdings){0};
}
