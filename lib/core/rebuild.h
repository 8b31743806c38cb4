/* SPDX-License-Identifier: MIT */
/*
 * rebuild.h - a heap whose derived state cannot be trusted.
 */
#ifndef BH_REBUILD_H
#define BH_REBUILD_H

#include "core/core.h"

/* Merges adjacent free blocks and makes all derived state from the map. */
void bh_rebuild(struct bh_core *core);

#endif
