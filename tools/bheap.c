/* SPDX-License-Identifier: MIT */
/*
 * bheap.c - the bheap program: finds the subcommand and runs it.
 */
#include <bheap.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "replay.h"

static const struct command *const commands[] = {
	&command_run,   &command_size,   &command_calls,    &command_show,
	&command_check, &command_repair, &command_snapshot,
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(*commands))

static const struct command *command_find(const char *name)
{
	for (size_t index = 0; index < COMMAND_COUNT; index++)
		if (strcmp(commands[index]->name, name) == 0)
			return commands[index];
	return NULL;
}

static void help_print(FILE *stream)
{
	fputs("Usage: bheap COMMAND [OPTION]... ARGUMENT...\n"
	      "Bounded heaps: run programs in them, size them, look at them.\n\n",
	      stream);
	for (size_t index = 0; index < COMMAND_COUNT; index++)
		fprintf(stream, "  %-10s %s\n", commands[index]->name, commands[index]->summary);
	fputs("\n'bheap help COMMAND' tells more; the manual page is bheap(1).\n", stream);
}

static int unknown(const char *name)
{
	warnx("'%s' is no command; 'bheap help' lists them", name);
	return STATUS_USAGE;
}

static bool is_help(const char *name)
{
	return strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
}

/* "bheap help" and "bheap help COMMAND"; help for help is all that there is, too. */
static int help(int argc, char **argv)
{
	const struct command *command = argc > 1 ? command_find(argv[1]) : NULL;

	if (argc > 2) {
		warnx("help: one command is wanted");
		return STATUS_USAGE;
	}
	if (argc > 1 && !is_help(argv[1]))
		return command ? command_help(command) : unknown(argv[1]);
	help_print(stdout);
	return command_done();
}

int command_help(const struct command *command)
{
	printf("Usage: bheap %s %s", command->name, command->usage);
	return command_done();
}

int command_misused(const struct command *command)
{
	fprintf(stderr, "Try 'bheap %s --help'.\n", command->name);
	return STATUS_USAGE;
}

bool command_takes_heaps(const struct command *command, char *const *names)
{
	for (; *names; names++)
		if (strcmp(*names, "-") == 0) {
			warnx("%s: a heap is not read from standard input", command->name);
			return false;
		}
	return true;
}

int command_done(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return STATUS_OK;
	warn("standard output");
	return STATUS_FAILED;
}

/* Of those that are closed no other file takes the number; to use them fails as before. */
static void standard_streams_hold(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
	const struct command *command;
	char name[64];

	if (replay_is_asked(argc, argv))
		return replay_serve();
	standard_streams_hold();
	if (argc < 2) {
		help_print(stderr);
		return STATUS_USAGE;
	}
	if (is_help(argv[1]))
		return help(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0) {
		printf("bheap %s\n", bheap_version());
		return command_done();
	}
	command = command_find(argv[1]);
	if (!command)
		return unknown(argv[1]);
	snprintf(name, sizeof(name), "bheap %s", command->name); /* for what getopt says */
	argv[1] = name;
	return command->run(argc - 1, argv + 1);
}
