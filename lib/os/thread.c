/* SPDX-License-Identifier: MIT */
/*
 * thread.c - see thread.h.
 */
#include "os/thread.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

pid_t bh_thread_id(void)
{
	return gettid();
}

bool bh_thread_is_gone(pid_t process, pid_t thread)
{
	int saved = errno;
	bool gone = tgkill(process, thread, 0) && errno == ESRCH;

	errno = saved;
	return gone;
}
