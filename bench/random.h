/* SPDX-License-Identifier: MIT */
/*
 * random.h - pseudo-random numbers that are the same on every machine (xorshift64*). The state is
 * the caller's, any number but 0.
 */
#ifndef BENCH_RANDOM_H
#define BENCH_RANDOM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((random_next(state) >> 32) * limit >> 32);
}

/* A size from low to high, log-uniform: every power of two as likely as any other. */
static inline size_t random_size(uint64_t *state, size_t low, size_t high)
{
	double share = (double)(random_next(state) >> 11) / 9007199254740992.0;
	return (size_t)((double)low * pow((double)high / (double)low, share));
}

#endif
