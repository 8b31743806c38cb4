/* SPDX-License-Identifier: MIT */
/*
 * damage.h - a free block was written to, and an operation met it before it changed anything.
 */
#ifndef BH_DAMAGE_H
#define BH_DAMAGE_H

#include "handle/call.h"

/*
 * If damage comes back after this many rebuilds in one call, another thread is writing right now.
 */
#define BH_DAMAGE_REBUILDS_MAX 3

/*
 * After an operation met damage: notes the fault and rebuilds the index. False if there was none.
 */
bool bh_damage_rebuild(struct bh_call *call);

#endif
