/* SPDX-License-Identifier: MIT */
/*
 * chart.h - a map of the heap as text, one character for a fixed number of bytes. Reads only.
 */
#ifndef BH_CHART_H
#define BH_CHART_H

#include <stdio.h>

#include "handle/handle.h"

/* For entered calls. Not 0 if the stream could not be written to. */
int bh_chart_print(const bheap_t *heap, FILE *stream);

#endif
