/* SPDX-License-Identifier: MIT */
/*
 * growth.h - moves the end of a heap: the last free block gets longer or shorter. Refuses to know
 * where the memory comes from.
 */
#ifndef BH_GROWTH_H
#define BH_GROWTH_H

#include "core/core.h"

/*
 * Moves the end up to so many granules, at least a word of the map more than there are. The new
 * ones can be written to; the words of the map behind that of the old end, up to one behind that of
 * the new end, too, and are zero.
 */
void bh_growth_extend(struct bh_core *core, uint32_t span);

/*
 * Moves the end down into the top, to so many granules, and clears the map behind it up to words,
 * a number of them.
 */
void bh_growth_shorten(struct bh_core *core, uint32_t span, size_t words);

#endif
