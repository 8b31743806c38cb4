/* SPDX-License-Identifier: MIT */
/*
 * heap_file.h - the heap file that operations are tried on, seen as bytes: set, reset, and compared
 * with what it was a step ago. Knows where in it the processes' mutex lies.
 */
#ifndef CRASH_HEAP_FILE_H
#define CRASH_HEAP_FILE_H

#include "corpus.h"

struct heap_file {
	int fd;
	struct expect *expect; /* shared with all processes of the test */
};
extern struct heap_file heap_file;

/* Once in a program. */
void heap_file_make(void);

/* What the operation is to find. */
void heap_file_set(const struct operation *operation, unsigned flags);

/* As it was set, or kept. */
void heap_file_reset(void);

/* From now on it is set to what it is now: what a death has left. */
void heap_file_keep(void);

/* After a system call the file may be another, or of another length. */
void heap_file_look(bool by_name);

/* Whether its bytes or its length changed since the last time this was asked. */
bool heap_file_changed(void);

/* The mutex: held; held and waited for; left by a dead process. */
bool heap_file_is_locked(void);
bool heap_file_is_awaited(void);
bool heap_file_is_orphaned(void);

#endif
