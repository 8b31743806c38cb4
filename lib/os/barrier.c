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

#include "os/wait.h"

static bool is_prepared;

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

__attribute__((constructor)) static void barrier_begin(void)
{
	is_prepared = __libc_single_threaded && bh_barrier_prepare();
}

bool bh_barrier_is_prepared(void)
{
	return is_prepared;
}

bool bh_barrier_all(void)
{
	__sync_synchronize();
	return __libc_single_threaded || membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

void bh_barrier_wait(void)
{
	if (!bh_barrier_all())
		bh_wait_nap(BH_BARRIER_NAP);
}
