/* SPDX-License-Identifier: MIT */
/*
 * growth.h - the mapping behind the heap of libbheap-malloc: no more than what is in use, and an
 * eighth. Refuses to know blocks.
 */
#ifndef TOOLS_GROWTH_H
#define TOOLS_GROWTH_H

#include <bheap.h>

/* The heap of the size asked for, or, if that is 0, the largest; NULL with errno. */
bheap_t *growth_create(size_t *size, unsigned flags);

/* The first address behind what is mapped now. */
const char *growth_end(const bheap_t *heap);

/* Inside: a request was refused for good. */
void growth_refused(const bheap_t *heap);

/* Inside: what lies far behind the last live block is unmapped. Keeps errno. */
void growth_shorten(bheap_t *heap);

#endif
