/* SPDX-License-Identifier: MIT */
/*
 * sweep.h - the live blocks of an entered heap in the order of addresses, each of which may be
 * freed. For functions that work on many blocks, and report what they find in batches.
 */
#ifndef BH_SWEEP_H
#define BH_SWEEP_H

#include "handle/call.h"

/* May free the block, and nothing else. */
typedef void bh_sweep_fn(struct bh_call *call, uint32_t block, uint32_t granules, void *arg);

/*
 * Calls a function with each live block from *granule on, which then is the end, or where to go on
 * once the faults that were noted are reported.
 */
void bh_sweep(struct bh_call *call, uint32_t *granule, bh_sweep_fn *visit, void *arg);

#endif
