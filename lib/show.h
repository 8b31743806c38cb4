/* SPDX-License-Identifier: MIT */
/*
 * show.h - the table of bh_show(), with the map of the heap as text below it.
 */
#ifndef BH_SHOW_H
#define BH_SHOW_H

#include <bheap.h>

int bh_show_charted(const bheap_t *heap, FILE *stream);

#endif
