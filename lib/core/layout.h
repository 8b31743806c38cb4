/* SPDX-License-Identifier: MIT */
/*
 * layout.h - what a region holds and where, as byte offsets from its start: the same for private,
 * caller's-buffer and shared heaps, and free of pointers. Refuses to know what is done with it.
 *
 *   lead | control | heads | map | gap | granules
 *                                                  ^ granule 1 ... span; 0 and span + 1 are
 * sentinels
 */
#ifndef BH_LAYOUT_H
#define BH_LAYOUT_H

#include "core/control.h"

struct bh_layout {
	size_t control;
	size_t heads; /* of the bins */
	size_t map;
	size_t granules; /* the first user granule */
	size_t size;     /* all of it */
	uint32_t bins;
	uint32_t span;
	unsigned shift;
};

/* The largest number of user granules: indexes have 32 bits, windows look a word too far. */
#define BH_GRANULES_INDEXED ((size_t)UINT32_MAX - 64)
#define BH_GRANULES_MAX                                                                            \
	(BHEAP_SIZE_MAX >> BH_GRANULE_SHIFT < BH_GRANULES_INDEXED                                  \
		 ? (size_t)(BHEAP_SIZE_MAX >> BH_GRANULE_SHIFT)                                    \
		 : BH_GRANULES_INDEXED)

/*
 * For so many granules, lead bytes in front; the bookkeeping ends at a multiple of page and gap
 * bytes (a multiple of page) follow it.
 */
void bh_layout_for_granules(struct bh_layout *layout, size_t granules, size_t lead, unsigned shift,
			    size_t page, size_t gap);

/*
 * For as many granules as size bytes hold with lead and bookkeeping in front; false if that is
 * none.
 */
bool bh_layout_for_size(struct bh_layout *layout, size_t size, size_t lead);

#endif
