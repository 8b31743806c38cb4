/* SPDX-License-Identifier: MIT */
/*
 * child.c - see child.h. While it waits, signals of the terminal are the program's alone, and
 * SIGTERM and SIGHUP are passed on to it.
 */
#include "child.h"

#include <dlfcn.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "preload.h"
#include "reason.h"

const char *child_library(const char *variable, const char *installed)
{
	const char *set = secure_getenv(variable);
	const char *path = set && *set ? set : installed;

	if (access(path, R_OK)) {
		warn("%s", path);
		return NULL;
	}
	if (path[0] != '/' || strpbrk(path, " :")) {
		warnx("%s: cannot be preloaded:\n  the path has blanks or colons, or is a relative one",
		      path);
		return NULL;
	}
	return path;
}

/* ---- signals ---- */

static volatile pid_t child_pid;

static void signal_pass_on(int number)
{
	if (child_pid > 0)
		kill(child_pid, number);
}

static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
#define NUMBERS (sizeof(numbers) / sizeof(*numbers))
#define OF_TERMINAL 2 /* the first ones */

static struct sigaction found[NUMBERS], found_of_children;

/*
 * Ignored signals, as below nohup(1), stay ignored. But a parent that ignores SIGCHLD is not told
 * how a program ended: that is the program's again.
 */
static void signals_take(void)
{
	const struct sigaction usual = {.sa_handler = SIG_DFL};

	sigaction(SIGCHLD, &usual, &found_of_children);
	for (size_t index = 0; index < NUMBERS; index++) {
		struct sigaction action = {.sa_flags = SA_RESTART};

		action.sa_handler = index < OF_TERMINAL ? SIG_IGN : signal_pass_on;
		sigaction(numbers[index], NULL, &found[index]);
		if (found[index].sa_handler != SIG_IGN)
			sigaction(numbers[index], &action, NULL);
	}
}

static void signals_restore(void)
{
	for (size_t index = 0; index < NUMBERS; index++)
		sigaction(numbers[index], &found[index], NULL);
	sigaction(SIGCHLD, &found_of_children, NULL);
}

/* ---- the program ---- */

#define WATCH_PAUSE 100000 /* microseconds */

/*
 * What follows the library: the operators new and delete that call malloc(3), before those of
 * another allocator, which do not.
 */
static const char *operators_of(const char *program, const char *before)
{
	static const char standard[] = "libstdc++.so.6";

	if (!reason_allocator(before) && !reason_needs_allocator(program))
		return "";
	return dlopen(standard, RTLD_LAZY) ? standard : "";
}

static void preload_set(const char *library, const char *program)
{
	const char *before = getenv("LD_PRELOAD"), *operators;
	char *all;

	before = before ? before : "";
	operators = operators_of(program, before);
	if (asprintf(&all, "%s%s%s%s%s", library, *operators ? ":" : "", operators,
		     *before ? ":" : "", before) >= 0)
		setenv("LD_PRELOAD", all, 1);
}

/* In the child: becomes the program, or tells why not. */
static void __attribute__((noreturn))
program_become(const struct child *child, char **argv, int tell)
{
	int error;

	signals_restore();
	for (char *const *variable = child->environment; *variable; variable++)
		putenv(*variable);
	if (!preload_is_foreign(&(struct preload_program){AT_FDCWD, argv[0], true}))
		preload_set(child->preload, argv[0]);
	if (child->fd)
		fcntl(child->fd, F_SETFD, 0);
	if (child->locked_fd)
		dup2(child->locked_fd, child->fd);
	if (child->other_fd)
		fcntl(child->other_fd, F_SETFD, 0);
	if (child->own_pid)
		*child->own_pid = (int32_t)getpid();
	execvp(argv[0], argv);
	error = errno;
	if (write(tell, &error, sizeof(error)) < 0)
		warn("%s", argv[0]);
	_exit(STATUS_NOT_FOUND);
}

/* 0 when the program runs, else errno. The pipe closes when it does. */
static int start_error(int told)
{
	int error = 0;

	if (read(told, &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(told);
	return error;
}

static double wall_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void alarm_ignore(int number)
{
	(void)number;
}

/* Signals that come again and again, each of which ends a wait. */
static void alarms_set(suseconds_t microseconds)
{
	const struct itimerval often = {{0, microseconds}, {0, microseconds}};
	const struct sigaction action = {.sa_handler = alarm_ignore};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void child_wait(const struct child *child, struct child_end *end)
{
	int status;

	if (child->watch)
		alarms_set(WATCH_PAUSE);
	while (wait4((pid_t)end->pid, &status, 0, &end->usage) < 0 && errno == EINTR)
		if (child->watch)
			child->watch(child->watch_arg);
	if (child->watch)
		alarms_set(0);
	if (WIFSIGNALED(status)) {
		end->signal = WTERMSIG(status);
		end->status = 128 + end->signal;
	} else {
		end->status = WEXITSTATUS(status);
	}
}

/* The child of a fork(2) begins with what its parent has resident. */
static uint64_t resident_most(void)
{
	struct rusage own;

	return getrusage(RUSAGE_SELF, &own) ? 0 : (uint64_t)own.ru_maxrss * 1024;
}

void child_run(const struct child *child, char **argv, struct child_end *end)
{
	double begin = wall_seconds();
	int pipes[2], error;

	*end = (struct child_end){.status = STATUS_FAILED, .before = resident_most()};
	if (pipe2(pipes, O_CLOEXEC)) {
		warn("pipe");
		return;
	}
	signals_take();
	child_pid = fork();
	if (child_pid == 0)
		program_become(child, argv, pipes[1]);
	end->pid = child_pid;
	close(pipes[1]);
	if (child_pid < 0) {
		warn("fork");
		close(pipes[0]);
		signals_restore();
		return;
	}
	error = start_error(pipes[0]);
	child_wait(child, end);
	signals_restore();
	end->seconds = wall_seconds() - begin;
	end->ran = !error;
	if (error) {
		errno = error;
		warn("%s", argv[0]);
		end->status = error == ENOENT ? STATUS_NOT_FOUND : STATUS_CANNOT_RUN;
	}
}

const char *child_end_signal(const struct child_end *end)
{
	static char text[160];
	const char *cause = "";

	if (end->signal == SIGSYS)
		cause = ";\n  its filter may lack system calls that libbheap-malloc(7) lists";
	snprintf(text, sizeof(text), "signal %d (%s)%s", end->signal, strsignal(end->signal),
		 cause);
	return text;
}
