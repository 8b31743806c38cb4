/* SPDX-License-Identifier: MIT */
/*
 * stage.h - the heap file that operations are tried on, seen as bytes: set, reset, and compared
 * with what it was a step ago. Knows where in it the processes' mutex lies.
 */
#ifndef CRASH_STAGE_H
#define CRASH_STAGE_H

#include "corpus.h"

struct stage {
	int fd;
	struct scene *scene; /* shared with all processes of the test */
};
extern struct stage stage;

/* Once in a program. */
void stage_make(void);

/* What the operation is to find. */
void stage_set(const struct operation *operation, unsigned flags);

/* As it was set, or kept. */
void stage_reset(void);

/* From now on it is set to what it is now: what a death has left. */
void stage_keep(void);

/* After a system call the file may be another, or of another length. */
void stage_look(bool by_name);

/* Whether its bytes or its length changed since the last time this was asked. */
bool stage_changed(void);

/* The mutex: held; held and waited for; left behind by a dead process. */
bool stage_is_locked(void);
bool stage_is_awaited(void);
bool stage_is_orphaned(void);

#endif
