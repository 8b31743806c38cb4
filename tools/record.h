/* SPDX-License-Identifier: MIT */
/*
 * record.h - what the recorder (record.c) offers to what else writes lines: its lock, and the line.
 */
#ifndef TOOLS_RECORD_H
#define TOOLS_RECORD_H

#include <stdint.h>

#pragma GCC visibility push(hidden)

void record_lock(void);
void record_unlock(void);

/*
 * Writes a line of at most 79 bytes, if this process is recorded. The lock is held. size: bytes
 * that the program has more now, or less.
 */
__attribute__((format(printf, 2, 3))) void record_line(int64_t size, const char *format, ...);

/* This process has so many bytes of addresses from now on. */
void record_limit(uint64_t addresses);

#pragma GCC visibility pop

#endif
