/* SPDX-License-Identifier: MIT */
/*
 * settled.h - the blocks of the heap as they are once its caches are emptied, where they no longer
 * can be.
 */
#ifndef TOOLS_SETTLED_H
#define TOOLS_SETTLED_H

#include <bheap.h>

/*
 * As bheap_walk(): the blocks that caches have are free, and are one with the free blocks beside
 * them.
 */
void settled_walk(const bheap_t *heap, bheap_walk_fn *callback, void *arg);

#endif
