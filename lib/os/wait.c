/* SPDX-License-Identifier: MIT */
/*
 * wait.c - the queue is a futex that inherits priorities, used directly: the C library's mutex of
 * that kind ends the program where a sandbox refuses the system call.
 */
#include "os/wait.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/assert.h"

void bh_wait_nap(long nanoseconds)
{
	const struct timespec time = {.tv_nsec = nanoseconds};
	int state;

	BH_ASSERT(nanoseconds >= 0 && nanoseconds < 1000000000);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	pthread_setcancelstate(state, &state);
}

static bool queue_swap(uint32_t *queue, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(queue, &from, to, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

static int queue_ask(uint32_t *queue, int operation)
{
	return (int)syscall(SYS_futex, queue, operation | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
}

bool bh_wait_in_queue(uint32_t *queue)
{
	int saved = errno, refused;

	if (queue_swap(queue, 0, (uint32_t)gettid()))
		return true;
	do {
		refused = queue_ask(queue, FUTEX_LOCK_PI);
	} while (refused && (errno == EINTR || errno == EAGAIN));
	errno = saved;
	return !refused;
}

void bh_wait_leave_queue(uint32_t *queue)
{
	int saved = errno;

	if (!queue_swap(queue, (uint32_t)gettid(), 0))
		queue_ask(queue, FUTEX_UNLOCK_PI);
	errno = saved;
}
