/* SPDX-License-Identifier: MIT */
/*
 * bands.c - see bands.h. Many stacks are of one place, those that hold nothing at the peak, too: of
 * each it is found once.
 */
#include "bands.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "progress.h"

/* What is live in a slot. */
struct piece {
	size_t size;
	size_t band;
};

struct account {
	const struct bands *bands;
	struct stacks *stacks;
	uint8_t *known; /* by stack: 1 + its band; 0: not known yet */
	struct piece *pieces;
	uint64_t live[BANDS_MOST + 1]; /* the last one is that of all others */
};

static size_t band_of(struct account *account, uint32_t stack)
{
	uint8_t *known = &account->known[stack < account->stacks->calls->node_room ? stack : 0];

	if (!*known)
		*known = (uint8_t)(1 + places_find(account->bands->places, account->bands->count,
						   account->stacks, stack));
	return *known - 1;
}

static void op_count(struct account *account, const struct trace_op *op, uint32_t stack)
{
	struct piece *piece = &account->pieces[op->slot];

	account->live[piece->band] -= piece->size;
	*piece = (struct piece){0};
	if (op->kind != TRACE_FREE)
		*piece = (struct piece){op->size, band_of(account, stack)};
	account->live[piece->band] += piece->size;
}

static void moments_fill(struct bands *bands, struct account *account, const struct trace *trace,
			 const struct moment *moments, size_t moment_count)
{
	size_t next = 0;

	for (size_t op = 0; op < trace->op_count && next < moment_count; op++) {
		op_count(account, &trace->ops[op], calls_stack(account->stacks->calls, op));
		if (op != moments[next].op)
			continue;
		memcpy(&bands->bytes[next * bands->count], account->live,
		       bands->count * sizeof(*bands->bytes));
		next++;
		progress_set((double)next / (double)moment_count);
	}
}

void bands_make(struct bands *bands, const struct trace *trace, struct stacks *stacks,
		const struct places *places, const struct moment *moments, size_t moment_count)
{
	struct account account = {.bands = bands, .stacks = stacks};

	*bands = (struct bands){
		.places = places,
		.count = places->count < BANDS_MOST ? places->count : BANDS_MOST,
	};
	bands->bytes = memory_zero(moment_count * bands->count + 1, sizeof(*bands->bytes));
	account.known = memory_zero(stacks->calls->node_room + 1, sizeof(*account.known));
	account.pieces = memory_zero(trace->slot_count + 1, sizeof(*account.pieces));
	progress_begin("bands");
	moments_fill(bands, &account, trace, moments, moment_count);
	progress_begin(NULL);
	free(account.known);
	free(account.pieces);
}

void bands_release(struct bands *bands)
{
	free(bands->bytes);
	*bands = (struct bands){0};
}
