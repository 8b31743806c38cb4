/* SPDX-License-Identifier: MIT */
/*
 * guarded.h - the fast path of private heaps with BHEAP_GUARD, for small blocks: all that is
 * verified is verified before anything is changed, and what is not as it should be, or seldom, is
 * left to the slow path, which verifies it again and reports it. Refuses to know reports.
 */
#ifndef BH_GUARDED_H
#define BH_GUARDED_H

#include "handle/enter.h"

/* What does the whole of a call that the fast path could not complete. */
typedef void *bh_guarded_alloc_slow_fn(bheap_t *heap, size_t alignment, size_t size);
typedef int bh_guarded_free_slow_fn(bheap_t *heap, void *ptr);

/* Of a heap for which bh_handle_skips() returned BH_SKIP_LOCK_GUARDED. */
void *bh_guarded_alloc(bheap_t *heap, size_t size, bh_guarded_alloc_slow_fn *slow);
int bh_guarded_free(bheap_t *heap, void *ptr, bh_guarded_free_slow_fn *slow);

#endif
