/* SPDX-License-Identifier: MIT */
/*
 * svg.h - the few shapes that our pictures are made of. Errors are the stream's.
 */
#ifndef TOOLS_SVG_H
#define TOOLS_SVG_H

#include <stdio.h>

enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };

/* A picture of this many pixels; its title is also what a screen reader says. */
void svg_begin(FILE *stream, double width, double height, const char *title);
void svg_end(FILE *stream);

void svg_rect(FILE *stream, double x, double y, double width, double height, const char *colour,
	      double opacity);
void svg_line(FILE *stream, double x1, double y1, double x2, double y2, const char *colour);
void svg_text(FILE *stream, double x, double y, enum anchor anchor, double size, const char *text);

/* A line through points, which follow as svg_point() calls; or, width 0, the area inside them. */
void svg_path_begin(FILE *stream, const char *colour, double width);
void svg_point(FILE *stream, double x, double y, int first);
void svg_path_end(FILE *stream);

#endif
