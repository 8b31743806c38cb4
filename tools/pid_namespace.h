/* SPDX-License-Identifier: MIT */
/*
 * pid_namespace.h - the namespace in which this process has its number: two of two namespaces may
 * have the same one. Allocates nothing; async-signal-safe.
 */
#ifndef TOOLS_PID_NAMESPACE_H
#define TOOLS_PID_NAMESPACE_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

/* Its inode number; 0: not known, without /proc before Linux 6.11. It stays as it is. */
uint32_t pid_namespace_own(void);

/* Of a process's folder below /proc: "self", or its number there; 0: not known. */
uint32_t pid_namespace_of(const char *folder);

/* The number that such a process has in its own namespace; 0: not known. */
int32_t pid_namespace_number(const char *folder);

#pragma GCC visibility pop

#endif
