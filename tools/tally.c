/* SPDX-License-Identifier: MIT */
/*
 * tally.c - see tally.h.
 */
#include "tally.h"

#include <stdbool.h>

#define SMALLEST 16

static unsigned size_class(uint64_t size)
{
	if (size <= SMALLEST)
		return size != 0;
	return TALLY_SIZES - 1 - (unsigned)__builtin_clzll(size - 1);
}

uint64_t tally_size_most(unsigned index)
{
	if (index == TALLY_SIZES - 1)
		return UINT64_MAX;
	return index ? (uint64_t)SMALLEST << (index - 1) : 0;
}

static bool is_request(enum tally_kind kind)
{
	return kind != TALLY_REALLOC_ZERO && kind != TALLY_FREE && kind != TALLY_FREE_NULL;
}

void tally_count(struct tally *tally, enum tally_kind kind, uint64_t before, uint64_t after)
{
	struct tally_row *row = &tally->rows[kind];

	row->calls++;
	row->allocated += after > before ? after - before : 0;
	row->freed += before > after ? before - after : 0;
	if (is_request(kind))
		tally->sizes[size_class(after)]++;
}

void tally_fail(struct tally *tally, uint64_t kind)
{
	if (kind >= TALLY_KINDS)
		return;
	tally->rows[kind].calls++;
	tally->rows[kind].failed++;
}

struct tally_row tally_sum(const struct tally *tally)
{
	struct tally_row sum = {0};

	for (unsigned kind = 0; kind < TALLY_KINDS; kind++) {
		sum.calls += tally->rows[kind].calls;
		sum.failed += tally->rows[kind].failed;
		sum.allocated += tally->rows[kind].allocated;
		sum.freed += tally->rows[kind].freed;
	}
	return sum;
}
