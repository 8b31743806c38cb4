/* SPDX-License-Identifier: MIT */
/*
 * ends.h - waits until the system does not know the owners of caches any more: a thread that was
 * joined is known for a moment, under qemu for longer.
 */
#ifndef TEST_ENDS_H
#define TEST_ENDS_H

#include <unistd.h>

#include "handle/caches.h"
#include "os/thread.h"

static inline void ends_await(struct bh_caches *caches)
{
	for (uint32_t slot = 0; slot < caches->used; slot++) {
		pid_t owner = bh_cache_at(caches, slot)->owner;

		for (int tries = 0; owner && owner != bh_thread_id() && tries < 2000; tries++) {
			if (bh_thread_is_gone(getpid(), owner))
				break;
			usleep(1000);
		}
	}
}

#endif
