/* SPDX-License-Identifier: MIT */
/*
 * create.h - private heaps made and ended, under hidden names.
 */
#ifndef BH_CREATE_H
#define BH_CREATE_H

#include "handle/handle.h"

/* A private heap; NULL with errno. */
bheap_t *bh_create(size_t size, unsigned flags);

/* Ends a heap of any kind, the default one too. */
int bh_destroy(bheap_t *heap);

#endif
