/* SPDX-License-Identifier: MIT */
/*
 * barrier.h - a fence that one side of a handshake pays for both: the side that is seldom taken
 * makes every thread of the process pass a full fence, and the other needs none (membarrier(2)).
 * Keeps errno.
 */
#ifndef BH_BARRIER_H
#define BH_BARRIER_H

#include <stdbool.h>

/* Where there is no barrier: longer than any processor keeps a store to itself. */
#define BH_BARRIER_NAP 10000000 /* nanoseconds */

/* Prepares this process, once or again; false where the kernel or a sandbox refuses. */
bool bh_barrier_prepare(void);

/*
 * True if this process was prepared when the library was loaded, while it had one thread: later
 * that takes milliseconds. A fork keeps it.
 */
bool bh_barrier_is_prepared(void);

/*
 * Every other thread of the process has passed a full fence between the call and the return, and
 * so has this one. False if that cannot be had: only this one has.
 */
bool bh_barrier_all(void);

/* bh_barrier_all() that never fails: where it is refused, it waits until no store is on its way. */
void bh_barrier_wait(void);

#endif
