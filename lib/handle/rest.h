/* SPDX-License-Identifier: MIT */
/*
 * rest.h - the sum of a shared heap's map, kept while no process uses the heap, so that damage to a
 * file at rest is seen.
 */
#ifndef BH_REST_H
#define BH_REST_H

#include "handle/handle.h"

/*
 * Takes the sum, with the lock held. Returns how the critical section is to end: at rest, or, where
 * the map is damaged, as after any call. The next call ends the rest.
 */
enum bh_shared_inside bh_rest_begin(const bheap_t *heap);

/* True if the map of a shared heap at rest has the sum that was taken. */
bool bh_rest_is_sound(const bheap_t *heap);

#endif
