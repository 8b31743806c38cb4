/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - what a process leaves behind of its heap: one file PID in the folder named by
 * BHEAP_MALLOC_REPORT, of lines "name value". Written when the process ends and when a request is
 * first refused, for a program that is out of memory may die of it. Allocates nothing.
 */
#ifndef TOOLS_LEDGER_H
#define TOOLS_LEDGER_H

#include <bheap.h>

/* folder NULL or empty: none is wanted. */
void ledger_open(const char *folder);
bool ledger_is_wanted(void);

/* Replaces the file of this process. */
void ledger_write(const struct bheap_stats *stats);

#endif
