/* SPDX-License-Identifier: MIT */
/*
 * recover.h - a heap whose last holder died inside an operation, or was another thread when this
 * process was forked.
 */
#ifndef BH_RECOVER_H
#define BH_RECOVER_H

#include "handle/handle.h"

/* Rolls the pending operation back, rebuilds the index, rewrites trailers. */
void bh_recover(bheap_t *heap);

#endif
