/* SPDX-License-Identifier: MIT */
/*
 * stepper.c - counts the instructions of single calls by stepping a child through them.
 *
 * Parent and child share one page. The child sets inside and stops itself; from there the parent
 * steps and counts until it sees inside cleared. What the marks themselves take is a constant,
 * which the parent learns from a few empty pairs at the start.
 */
#include "stepper.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define EMPTY_PAIRS 3
#define EMPTY_KIND STEPPER_KINDS

struct page {
	volatile int inside;
	volatile size_t kind; /* of the call that ended last */
};

static struct page *shared;

void stepper_begin(void)
{
	shared->inside = 1;
	kill(getpid(), SIGTRAP);
}

void stepper_end(size_t kind)
{
	shared->kind = kind;
	shared->inside = 0;
}

static int child_fail(const char *what)
{
	fprintf(stderr, "stepper: %s: %s\n", what, strerror(errno));
	return -1;
}

__attribute__((noreturn)) static void child_run(void (*work)(void *arg), void *arg)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(child_fail("PTRACE_TRACEME") == 0 ? 0 : 3);
	for (int i = 0; i < EMPTY_PAIRS; i++) {
		stepper_begin();
		stepper_end(EMPTY_KIND);
	}
	work(arg);
	_exit(0);
}

/* Waits for the child to stop; -1 when it has ended, its exit status in *status. */
static int child_wait(pid_t child, int *status)
{
	if (waitpid(child, status, 0) != child)
		return child_fail("waitpid");
	return WIFSTOPPED(*status) ? 0 : -1;
}

/* Steps through one marked call. How many instructions, or 0 when the child ended or faulted. */
static size_t call_step(pid_t child, int *status)
{
	size_t steps = 0;
	while (shared->inside) {
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
		    child_wait(child, status) != 0)
			return 0;
		if (WSTOPSIG(*status) != SIGTRAP) {
			fprintf(stderr, "stepper: the child got %s\n",
				strsignal(WSTOPSIG(*status)));
			return 0;
		}
		steps++;
	}
	return steps;
}

static void count_add(struct call_count *count, size_t steps)
{
	count->calls++;
	count->total += steps;
	if (steps > count->largest)
		count->largest = steps;
}

static int child_count(pid_t child, struct call_count counts[STEPPER_KINDS])
{
	int status;
	size_t mark_steps = 0;

	while (child_wait(child, &status) == 0) {
		if (WSTOPSIG(status) == SIGTRAP && shared->inside) {
			size_t steps = call_step(child, &status);
			if (steps == 0)
				break;
			if (shared->kind == EMPTY_KIND)
				mark_steps = steps;
			else
				count_add(&counts[shared->kind], steps - mark_steps);
		}
		int deliver = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
		if (ptrace(PTRACE_CONT, child, NULL, (void *)(long)deliver) != 0)
			return child_fail("PTRACE_CONT");
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	fprintf(stderr, "stepper: the child did not end well (status %#x)\n", (unsigned)status);
	if (WIFSTOPPED(status)) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	return -1;
}

/* Parent and child take turns: on one processor a turn costs no wake-up of another. */
static void processor_pin(void)
{
	int processor = sched_getcpu();
	cpu_set_t set;
	CPU_ZERO(&set);
	if (processor >= 0) {
		CPU_SET((unsigned)processor, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
}

int stepper_run(void (*work)(void *arg), void *arg, struct call_count counts[STEPPER_KINDS])
{
	memset(counts, 0, STEPPER_KINDS * sizeof(*counts));
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return child_fail("mmap");
	fflush(stdout);
	processor_pin();
	pid_t child = fork();
	if (child == 0)
		child_run(work, arg);
	int result = child < 0 ? child_fail("fork") : child_count(child, counts);
	munmap(shared, sizeof(*shared));
	return result;
}
