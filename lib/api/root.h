/* SPDX-License-Identifier: MIT */
/*
 * root.h - the root under a hidden name.
 */
#ifndef BH_ROOT_H
#define BH_ROOT_H

#include "handle/handle.h"

void *bh_root(const bheap_t *heap);

#endif
