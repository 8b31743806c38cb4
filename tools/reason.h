/* SPDX-License-Identifier: MIT */
/*
 * reason.h - why a program's malloc() was not the one that bheap preloads, as its file tells.
 */
#ifndef TOOLS_REASON_H
#define TOOLS_REASON_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Of a program as execvp(3) finds it, or of the one that runs it, if it is a script: a sentence
 * that begins with "it"; NULL if nothing is known.
 */
const char *reason_find(const char *program);

/* The same, if a process with these real numbers executes it. */
const char *reason_find_for(const char *program, uid_t user, gid_t group);

/*
 * An allocator among names of libraries whose operators new and delete would work on a heap of its
 * own; or NULL.
 */
const char *reason_allocator(const char *names);

/* True if a program as execvp(3) finds it is linked with one of these. */
bool reason_needs_allocator(const char *program);

#endif
