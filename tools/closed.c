/* SPDX-License-Identifier: MIT */
/*
 * closed.c - accesses to the pages of freed blocks, which a guarded heap closes (pages.h): reported
 * like other faults before the program ends by SIGSEGV. Keeps: the handler that there was, or none,
 * is called after the report, with the same registers and the same address; a handler that the
 * program sets takes the place of this one. Refuses to look at a heap that another call changes.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "budget.h"
#include "handle/pages.h"
#include "telling.h"
#include "trail.h"

static struct sigaction before;

static bool is_closed(const void *address)
{
	const char *granule = (const char *)((uintptr_t)address & -(uintptr_t)BHEAP_ALIGNMENT);

	return granule >= budget.start && granule < budget.fresh &&
	       bh_pages_is_closed(budget.heap, bh_core_granule(&budget.heap->core, granule));
}

static void report(const void *address, void *context)
{
	struct bheap_fault fault = {
		.kind = TELLING_ACCESSED, .heap = budget.heap, .address = address};

	snprintf(fault.text, sizeof(fault.text), "bheap: %p: accessed after free", address);
	trail_interrupted(context);
	trail_fault(&fault, false);
	budget_report_access(&fault);
}

/* What another process or thread sent does not come again by itself. */
static void send_again(int number, siginfo_t *info)
{
	if (info->si_code <= 0 &&
	    syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), number, info) != 0)
		raise(number);
}

/* The access is made again when this returns, and meets the handler that there was before. */
static void segment_fault(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	sigaction(number, &before, NULL);
	if (info->si_code == SEGV_ACCERR && is_closed(info->si_addr))
		report(info->si_addr, context);
	else
		send_again(number, info);
	errno = saved;
}

/* After account.c's, whose handlers of signals that end the program are called then. */
static void __attribute__((constructor(103))) closed_watch(void)
{
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};

	action.sa_sigaction = segment_fault;
	if (budget_heap()->closes && sigaction(SIGSEGV, NULL, &before) == 0)
		sigaction(SIGSEGV, &action, NULL);
}
