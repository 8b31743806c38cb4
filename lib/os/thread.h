/* SPDX-License-Identifier: MIT */
/*
 * thread.h - the numbers by which the system knows the threads of this process. Keeps errno.
 */
#ifndef BH_THREAD_H
#define BH_THREAD_H

#include <stdbool.h>
#include <sys/types.h>

/* Of this thread: no other thread that lives has it. */
pid_t bh_thread_id(void);

/*
 * True if no thread of a process has this number any more: it has ended, and no new one got it.
 * False, too, where a sandbox does not tell.
 */
bool bh_thread_is_gone(pid_t process, pid_t thread);

#endif
