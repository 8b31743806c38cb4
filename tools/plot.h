/* SPDX-License-Identifier: MIT */
/*
 * plot.h - a heap over time, drawn: live bytes, heap in use, largest free block; and of the live
 * bytes, those of each of the places that hold most, in bands one upon the other.
 */
#ifndef TOOLS_PLOT_H
#define TOOLS_PLOT_H

#include <stdio.h>

#include "bands.h"

/*
 * size: of the heap the moments were taken in; smallest: the heap that would just have sufficed;
 * bands: of these moments, or none.
 */
void plot_draw(FILE *stream, const struct trace *trace, const struct moment *moments, size_t count,
	       size_t size, size_t smallest, const struct bands *bands);

#endif
