/* SPDX-License-Identifier: MIT */
/*
 * child.h - a program run under one of our preloaded libraries: found, started, waited for.
 */
#ifndef TOOLS_CHILD_H
#define TOOLS_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

struct child {
	char *const *environment; /* "NAME=VALUE" to set, NULL-terminated */
	const char *preload;      /* path of a library, put first in LD_PRELOAD */
	int fd, other_fd;         /* handed down under their numbers, or 0 */
	int locked_fd;            /* handed down in place of fd, or 0 */
	int32_t *own_pid;         /* in memory that is shared: told to the program, or NULL */
	void (*watch)(void *);    /* called some ten times a second meanwhile, or NULL */
	void *watch_arg;
};

struct child_end {
	int status; /* as in a shell: of exit(), 128 + the signal, 126 or 127 */
	int signal; /* that ended it, or 0 */
	bool ran;
	long pid;
	struct rusage usage;
	uint64_t before; /* resident bytes that usage has from before the program began, at most */
	double seconds;  /* on the wall */
};

/*
 * The path of a library of ours: the variable's value when set, else the installed one. NULL after
 * a message when it is not there or cannot be preloaded.
 */
const char *child_library(const char *variable, const char *installed);

/* Runs a program to its end; a message tells when it could not be started. */
void child_run(const struct child *child, char **argv, struct child_end *end);

/* The signal that ended it, by number and name, and what may have caused it if that is known. */
const char *child_end_signal(const struct child_end *end);

#endif
