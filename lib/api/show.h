/* SPDX-License-Identifier: MIT */
/*
 * show.h - the table of a heap's blocks, under hidden names.
 */
#ifndef BH_SHOW_H
#define BH_SHOW_H

#include "bheap.h"

/* Prints the blocks and the totals; 0, or -1 with errno. */
int bh_show(const bheap_t *heap, FILE *stream);

/* Prints the table with a map of the heap below it. */
int bh_show_charted(const bheap_t *heap, FILE *stream);

/* True if BHEAP_MAP in the environment asks for the map. */
bool bh_show_wants_chart(void);

#endif
