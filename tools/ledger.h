/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - the record of a process's heap: one file PID in the folder named by
 * BHEAP_MALLOC_REPORT, of lines "name value"; and, when BHEAP_MALLOC_SNAPSHOT is set too, its
 * blocks in PID.snapshot, a snapshot as bheap(1) makes them, or in the area that bheap shares.
 * Refuses to know when. Allocates nothing.
 */
#ifndef TOOLS_LEDGER_H
#define TOOLS_LEDGER_H

#include <bheap.h>

#include "table.h"

/* folder NULL or empty: none is wanted. */
void ledger_open(const char *folder);
bool ledger_is_wanted(void);

/*
 * Replaces the file of this process. extent: bytes from the start that blocks ever reached;
 * ended: these are the last figures.
 */
void ledger_write(const struct bheap_stats *stats, size_t extent, bool ended);

/* Writes the blocks into a file. */
void ledger_write_blocks(const bheap_t *heap, const struct bheap_stats *stats);

/* Writes the blocks into the area: the bytes that they take, 0 where there is no room. */
size_t ledger_put_blocks(const bheap_t *heap, const struct bheap_stats *stats,
			 const struct table_view *view);

#endif
