/* SPDX-License-Identifier: MIT */
/*
 * head.h - tells whether a head is one that this library, in a process of this machine, can use.
 */
#ifndef BH_HEAD_H
#define BH_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "handle/shared.h"

/* What the heap keeps of the flags that it was created with. */
#define BH_HEAD_FLAGS (BHEAP_GUARD | BHEAP_OWNED | BHEAP_PREALLOCATE)

/* True for a head of this kind of machine and of this version; else the reason, cut to size. */
bool bh_head_is_ours(const struct bh_shared *head, char *reason, size_t size);

#endif
