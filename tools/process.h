/* SPDX-License-Identifier: MIT */
/*
 * process.h - another process, as /proc shows it and as far as its permissions let it be looked at.
 * Nothing here stops or changes it, and it may end at any time.
 */
#ifndef TOOLS_PROCESS_H
#define TOOLS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process {
	long pid;
	char program[32];
	unsigned long long begun; /* by which it is told from a later one of its number */
};

/* True for what can only be the number of a process: digits. */
bool process_is_number(const char *text);

/* NULL, or why it cannot be looked at. */
const char *process_find(struct process *process, const char *number);

/* True if the kernel knows it by the name of this program: it keeps 15 bytes. */
bool process_is_named(const struct process *process, const char *program);

/* False once it has ended, whether its parent has waited for it or not. */
bool process_runs(const struct process *process);

/* The same of any process that has this number now; true, too, if it cannot be looked at. */
bool process_number_runs(long pid);

/*
 * The number here of the process that has one in a PID namespace below; 0: it has ended, or may not
 * be looked at.
 */
long process_outside(long number, uint32_t pid_namespace);

/* Opens a file of its folder for reading; -1 with errno. */
int process_open(long pid, const char *name);

/* Copies its memory; false with errno. */
bool process_read(long pid, uint64_t address, void *into, size_t size);

/* Resident bytes, 0 if they are not known. */
uint64_t process_resident(long pid);

/*
 * The most resident bytes that it had since its program began. 0: not known, or the number is
 * another process's, for both its name and its parent are others.
 */
uint64_t process_resident_peak(long pid, const char *program, long parent);

#endif
