/* SPDX-License-Identifier: MIT */
/*
 * reason.h - why a program's malloc() was not the one that bheap preloads, as its file tells.
 */
#ifndef TOOLS_REASON_H
#define TOOLS_REASON_H

#include <sys/types.h>

/*
 * Of a program as execvp(3) finds it, or of the one that runs it, if it is a script: a sentence
 * that begins with "it"; NULL if nothing is known.
 */
const char *reason_find(const char *program);

/* The same, if a process with these real numbers executes it. */
const char *reason_find_for(const char *program, uid_t user, gid_t group);

#endif
