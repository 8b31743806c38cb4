/* SPDX-License-Identifier: MIT */
/*
 * barrier.c - see barrier.h.
 */
#include "os/barrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool membarrier(int command)
{
	int saved = errno;
	bool done = !syscall(SYS_membarrier, command, 0, 0);

	errno = saved;
	return done;
}

bool bh_barrier_prepare(void)
{
	return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

bool bh_barrier_all(void)
{
	__sync_synchronize();
	return __libc_single_threaded || membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
