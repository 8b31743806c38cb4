/* SPDX-License-Identifier: MIT */
/*
 * recover.h - a heap whose last holder died inside an operation, or was another thread when this
 * process was forked.
 */
#ifndef BH_RECOVER_H
#define BH_RECOVER_H

#include "handle/handle.h"

/* Makes a heap whole whose last holder vanished inside an operation. */
void bh_recover(bheap_t *heap);

#endif
