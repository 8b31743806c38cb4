/* SPDX-License-Identifier: MIT */
/*
 * preload.h - programs that are executed and cannot load our library, for they are of another class
 * or machine, are not asked to: the dynamic linker would complain on their standard error. Keeps:
 * async-signal-safe, allocates nothing, and changes what its caller passes only.
 */
#ifndef TOOLS_PRELOAD_H
#define TOOLS_PRELOAD_H

#include <limits.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* A program as exec(3) has it. */
struct preload_program {
	int folder;       /* of a relative path, or the program itself if the path is empty */
	const char *path; /* or a name */
	bool searched;    /* in PATH, if it has no '/' */
};

/*
 * True if the dynamic linker of a program, or of the one that a script names, is not for libraries
 * like this one. False if the file cannot be read, too.
 */
bool preload_is_foreign(const struct preload_program *program);

/* The file of a name in the folders of PATH, as execvp(3) goes through them; false: none. */
bool preload_search(char path[PATH_MAX], const char *name);

/* As access(2): by that call, where the machine has it, which programs make as they begin. */
long preload_access(const char *path, int mode);

/* The value of a setting, or NULL. */
const char *preload_setting(char *const *envp, const char *name);

/* Settings of an environment that can be changed for a program. */
#define PRELOAD_SETTINGS 1000

struct preload_room {
	char *settings[PRELOAD_SETTINGS + 1];
	char text[1024];
};

/*
 * An environment whose LD_PRELOAD does not have this library; what else it has stays. The same one,
 * if it has not, or the room does not suffice.
 */
char *const *preload_without(char *const *envp, const char *library, struct preload_room *room);

#pragma GCC visibility pop

#endif
