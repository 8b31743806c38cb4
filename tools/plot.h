/* SPDX-License-Identifier: MIT */
/*
 * plot.h - a heap over time, drawn: live bytes, heap in use, largest free block.
 */
#ifndef TOOLS_PLOT_H
#define TOOLS_PLOT_H

#include <stdio.h>

#include "sizing.h"

/* size: of the heap the moments were taken in; smallest: the heap that would just have sufficed. */
void plot_draw(FILE *stream, const struct trace *trace, const struct moment *moments, size_t count,
	       size_t size, size_t smallest);

#endif
