/* SPDX-License-Identifier: MIT */
/*
 * request.h - what a request is served with, between entry and exit of a call: a free block of the
 * heap's, for which the index is rebuilt and the caches are emptied if need be; or a block that
 * another thread passed on.
 */
#ifndef BH_REQUEST_H
#define BH_REQUEST_H

#include "api/block.h"

/*
 * alignment: a power of two, a granule at least. A finished block, with trailer and annotations, or
 * 0 (no room); rebuilds the index where it meets damage.
 */
uint32_t bh_request_serve(struct bh_call *call, size_t alignment, size_t size);

/* The same; where threads have caches, from what they pass on first, and a few more for its own. */
uint32_t bh_request_serve_cached(struct bh_call *call, size_t alignment, size_t size);

/* The errno of a request that such a call refused: there is no room in the heap, or on the disk. */
int bh_request_refusal(const struct bh_call *call);

#endif
