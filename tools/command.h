/* SPDX-License-Identifier: MIT */
/*
 * command.h - what a subcommand of bheap is. Messages go through err.h, in one line that begins
 * with "bheap: " and names the file or argument concerned.
 */
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

#include <stdbool.h>

enum status {
	STATUS_OK,
	STATUS_FAILED, /* it could not be done, or what was looked at is not sound */
	STATUS_USAGE,  /* the arguments make no sense: nothing was done */
	STATUS_CANNOT_RUN = 126,
	STATUS_NOT_FOUND = 127,
};

struct command {
	const char *name;
	const char *summary; /* for the list of commands */
	const char *usage;   /* its lines after "Usage: bheap NAME " */
	int (*run)(int argc, char **argv);
};

extern const struct command command_calls, command_check, command_repair, command_run, command_show,
	command_size, command_snapshot;

/* Prints the usage to standard output; STATUS_OK. */
int command_help(const struct command *command);

/* Points at the help on standard error; STATUS_USAGE. */
int command_misused(const struct command *command);

/* False, and told so, if one of these names, up to a NULL, stands for standard input. */
bool command_takes_heaps(const struct command *command, char *const *names);

/*
 * Flushes standard output: STATUS_OK, or STATUS_FAILED with a message when it could not be written.
 */
int command_done(void);

#endif
