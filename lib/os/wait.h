/* SPDX-License-Identifier: MIT */
/*
 * wait.h - how a thread waits: by naps, and in a queue in which the longest waiter of the highest
 * priority comes first and the first one inherits the priority of those after it. Both keep
 * errno, and are no cancellation points.
 */
#ifndef BH_WAIT_H
#define BH_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* Less than a second. */
void bh_wait_nap(long nanoseconds);

/*
 * Waits until this thread is first; queue is 0 while no thread is. False where the kernel has no
 * such queue, or a sandbox refuses it: the caller waits out of turn then, and leaves no queue.
 */
bool bh_wait_in_queue(uint32_t *queue);
void bh_wait_leave_queue(uint32_t *queue);

#endif
