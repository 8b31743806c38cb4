/* SPDX-License-Identifier: MIT */
/*
 * map_view.h - the map of a heap, as text and as SVG.
 */
#ifndef TOOLS_MAP_VIEW_H
#define TOOLS_MAP_VIEW_H

#include "picture.h"

/* One character a cell, columns of them in a row; colours with terminal escapes. */
void map_print(const struct picture *picture, FILE *stream, unsigned columns, bool whole,
	       bool colours);

void map_draw(const struct picture *picture, FILE *stream, bool whole);

#endif
