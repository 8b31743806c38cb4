/* SPDX-License-Identifier: MIT */
/*
 * living_caches.h - what the caches of threads have in the heap of a process that runs: read from
 * outside, as living.h, while their owners work on them. Nothing that is read is trusted.
 */
#ifndef TOOLS_LIVING_CACHES_H
#define TOOLS_LIVING_CACHES_H

#include "living.h"

struct living_caches {
	size_t blocks;
	uint64_t granules;
	uint64_t calls; /* blocks handed out, less those taken from the heap: modulo 2^64 */
	struct {
		uint32_t block, granules;
	} * list;          /* of all blocks, if they were wanted */
	unsigned long sum; /* of all that was read */
};

/*
 * Of the heap whose handle lies there and that has caches. Bounded work, whatever the memory says.
 * False, and nothing to release, if they cannot be read or are not sound.
 */
bool living_caches_read(const struct living *living, uint64_t handle, bool listed,
			struct living_caches *caches);

void living_caches_release(struct living_caches *caches);

#endif
