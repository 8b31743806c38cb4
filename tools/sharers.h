/* SPDX-License-Identifier: MIT */
/*
 * sharers.h - which processes have a part of bheap's memory mapped, too, as /proc shows it: by what
 * number they know themselves, and whether they have told anything, does not matter.
 */
#ifndef TOOLS_SHARERS_H
#define TOOLS_SHARERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct sharers {
	pid_t *list; /* those that may be looked at */
	size_t count;
	bool hidden; /* there are, or may be, others */
};

/*
 * The other processes that have mapped what is at an address of this one; false, and an empty list,
 * if /proc does not tell.
 */
bool sharers_find(struct sharers *sharers, const void *address);
bool sharers_have(const struct sharers *sharers, pid_t pid);
void sharers_release(struct sharers *sharers);

/* True if a process may be looked at, or is not there. */
bool sharers_see(pid_t pid);

#endif
