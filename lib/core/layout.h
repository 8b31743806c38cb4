/* SPDX-License-Identifier: MIT */
/*
 * layout.h - the parts of a region, as byte offsets from its start: one layout for private, buffer
 * and shared heaps, without pointers. Refuses to know how the parts are used.
 *
 *   lead | control | heads | map | gap | granules 1 ... span
 *
 * lead: the handle and the marks of a private heap, or the head of a shared one.
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

/*
 * The largest number of user granules: indexes have 32 bits, and the word after the last is read.
 */
#define BH_GRANULES_INDEXED ((size_t)UINT32_MAX - 64)
#define BH_GRANULES_MAX                                                                            \
	(BHEAP_SIZE_MAX >> BH_GRANULE_SHIFT < BH_GRANULES_INDEXED                                  \
		 ? (size_t)(BHEAP_SIZE_MAX >> BH_GRANULE_SHIFT)                                    \
		 : BH_GRANULES_INDEXED)

/*
 * A layout for a number of granules after lead bytes. The bookkeeping ends at a multiple of page;
 * gap bytes (a multiple of page) follow it. granules: 1 ... BH_GRANULES_MAX; page: a power of two.
 */
void bh_layout_for_granules(struct bh_layout *layout, size_t granules, size_t lead, unsigned shift,
			    size_t page, size_t gap);

/*
 * A layout for as many granules as fit into size bytes after lead bytes and the bookkeeping; false,
 * and a layout of nothing, if none fits.
 */
bool bh_layout_for_size(struct bh_layout *layout, size_t size, size_t lead);

#endif
