/* SPDX-License-Identifier: MIT */
/*
 * bands.h - what the places that hold most at the peak of a recorded program (places.h) hold over
 * time. Refuses to know how it is drawn.
 */
#ifndef TOOLS_BANDS_H
#define TOOLS_BANDS_H

#include "places.h"
#include "sizing.h"

#define BANDS_MOST 5

struct bands {
	const struct places *places; /* of the peak: the bands are the first of them */
	size_t count;                /* BANDS_MOST at most; 0: there are none */
	uint64_t *bytes;             /* of each band, in each moment */
};

/* The moments are in the order of their operations. */
void bands_make(struct bands *bands, const struct trace *trace, struct stacks *stacks,
		const struct places *places, const struct moment *moments, size_t moment_count);

static inline uint64_t bands_bytes(const struct bands *bands, size_t moment, size_t band)
{
	return bands->bytes[moment * bands->count + band];
}

void bands_release(struct bands *bands);

#endif
