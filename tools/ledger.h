/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - the record of a process's heap: one file PID in the folder named by
 * BHEAP_MALLOC_REPORT, of lines "name value"; and, when BHEAP_MALLOC_SNAPSHOT is set too, its
 * blocks in PID.snapshot, a snapshot as bheap(1) makes them. Written when the process ends; and,
 * for a program may end without telling, when a request is first refused and as the heap grows.
 * Allocates nothing.
 */
#ifndef TOOLS_LEDGER_H
#define TOOLS_LEDGER_H

#include <bheap.h>

/* folder NULL or empty: none is wanted. snapshot: the blocks are. */
void ledger_open(const char *folder, bool snapshot);
bool ledger_is_wanted(void);

/*
 * Replaces the file of this process. extent: bytes from the start that blocks ever reached;
 * ended: these are the last figures.
 */
void ledger_write(const struct bheap_stats *stats, size_t extent, bool ended);

/* Writes the blocks, if they are wanted. */
void ledger_write_blocks(const bheap_t *heap, const struct bheap_stats *stats);

#endif
