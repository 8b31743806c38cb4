/* SPDX-License-Identifier: MIT */
/*
 * executes.c - a program that executes another one, for executions.sh: executes WHERE HOW PROGRAM
 * [ARGUMENT]. WHERE: "here"; "fork", "grown" (after a block of 500 KB) or "vfork" for a child;
 * "last", a function that exit(3) calls. HOW: the function's name, or that of one with a list of
 * arguments: two with that of the program, or "many"; "empty": execve(2) without an environment. A
 * PROGRAM of that name is executed only if "no/such/program" was not. Status 77: it failed, 78: so
 * did a child.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT 77
#define MISSING "no/such/program"

#define TEN "x", "x", "x", "x", "x", "x", "x", "x", "x", "x"
#define HUNDRED TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN, TEN

static char **last;
static char *const empty[] = {NULL};

static int by_descriptor(const char *path, char **argv, int at_folder)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return -1;
	return at_folder ? execveat(fd, "", argv, environ, AT_EMPTY_PATH)
			 : fexecve(fd, argv, environ);
}

/* The program is in the folder of the path. */
static int by_folder(const char *path, char **argv)
{
	char folder[256];
	const char *name = strrchr(path, '/');
	int fd;

	snprintf(folder, sizeof(folder), "%.*s", (int)(name - path), path);
	fd = open(*folder ? folder : "/", O_RDONLY);
	return fd < 0 ? -1 : execveat(fd, name + 1, argv, environ, 0);
}

static int child_end(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return CANNOT + 1;
	return WEXITSTATUS(status);
}

static int spawn(int searches, const char *path, char **argv)
{
	pid_t child;
	int error =
		(searches ? posix_spawnp : posix_spawn)(&child, path, NULL, NULL, argv, environ);

	if (!error)
		exit(child_end(child));
	errno = error;
	return -1;
}

/* What returns has failed. */
static void execute_by(const char *how, const char *path, char **argv)
{
	if (!strcmp(how, "execve"))
		execve(path, argv, environ);
	else if (!strcmp(how, "empty"))
		execve(path, argv, empty);
	else if (!strcmp(how, "execv"))
		execv(path, argv);
	else if (!strcmp(how, "execvp"))
		execvp(path, argv);
	else if (!strcmp(how, "execvpe"))
		execvpe(path, argv, environ);
	else if (!strcmp(how, "execl"))
		execl(path, argv[0], argv[1], NULL);
	else if (!strcmp(how, "many"))
		execl(path, argv[0], HUNDRED, argv[1], NULL);
	else if (!strcmp(how, "execlp"))
		execlp(path, argv[0], argv[1], NULL);
	else if (!strcmp(how, "execle"))
		execle(path, argv[0], argv[1], NULL, environ);
	else if (!strcmp(how, "fexecve") || !strcmp(how, "descriptor"))
		by_descriptor(path, argv, *how == 'd');
	else if (!strcmp(how, "execveat"))
		by_folder(path, argv);
	else
		spawn(!strcmp(how, "posix_spawnp"), path, argv);
}

static void execute(char **words)
{
	errno = 0;
	execute_by(words[0], MISSING, words + 1);
	if (errno != ENOENT)
		_exit(CANNOT + 2);
	if (strcmp(words[1], MISSING) != 0)
		execute_by(words[0], words[1], words + 1);
}

static void execute_last(void)
{
	execute(last);
}

/* What are no addresses the system refuses. */
static bool addresses_refused(const char *path)
{
	char *const *volatile nowhere = (char *const *)1;
	char *const words[] = {(char *)(uintptr_t)path, NULL};
	bool refused = execve((const char *)nowhere, words, environ) && errno == EFAULT;

	return refused && execve(path, words, nowhere) && errno == EFAULT;
}

static void block_make(size_t size)
{
	char *block = malloc(size);

	*(char *volatile *)&block = memset(block, 1, size);
}

int main(int argc, char **argv)
{
	pid_t child = 0;

	if (argc < 4)
		return 2;
	block_make(1000);
	if (!strcmp(argv[1], "last")) {
		last = argv + 2;
		return atexit(execute_last);
	}
	if (!strcmp(argv[1], "vfork"))
		child = vfork();
	else if (strcmp(argv[1], "here") != 0)
		child = fork();
	if (child > 0)
		return child_end(child);
	if (!strcmp(argv[1], "grown"))
		block_make(500000);
	if (!strcmp(argv[2], "nowhere"))
		_exit(!addresses_refused(argv[3]));
	execute(argv + 2);
	_exit(strcmp(argv[3], MISSING) == 0 ? 0 : CANNOT);
}
