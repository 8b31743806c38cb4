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

/* A file, as the kernel names it in lists of mappings. */
struct sharers {
	char device[16];
	unsigned long long inode;
};

/* What is mapped at an address of this process; false if /proc does not tell. */
bool sharers_find(struct sharers *sharers, const void *address);

/* The number of other processes that have it mapped, of those that may be looked at. */
size_t sharers_count(const struct sharers *sharers);

/* True if a process may be looked at, or is not there. */
bool sharers_see(pid_t pid);

#endif
