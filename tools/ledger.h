/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - what a process leaves behind of its heap: one file PID in the folder named by
 * BHEAP_MALLOC_REPORT, of lines "name value". Written when the process ends; and, for a program may end
 * without telling, when a request is first refused and as the heap grows. Allocates nothing.
 */
#ifndef TOOLS_LEDGER_H
#define TOOLS_LEDGER_H

#include <bheap.h>

/* folder NULL or empty: none is wanted. */
void ledger_open(const char *folder);
bool ledger_is_wanted(void);

/* Replaces the file of this process. extent: bytes from the front that blocks ever reached to;
 * ended: these are the last figures. */
void ledger_write(const struct bheap_stats *stats, size_t extent, bool ended);

#endif
