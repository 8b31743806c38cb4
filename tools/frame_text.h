/* SPDX-License-Identifier: MIT */
/*
 * frame_text.h - a function in a program (source.h) as text.
 */
#ifndef TOOLS_FRAME_TEXT_H
#define TOOLS_FRAME_TEXT_H

#include <stdio.h>

#include "source.h"

/* A line of at most 80 columns, indented: long names are cut in the middle, long paths in front. */
void frame_print(FILE *stream, const struct source_frame *frame);

/* Its name, cut to size - 1 bytes; if it is not known, module and offset. */
void frame_name(char *text, size_t size, const struct source_frame *frame);

/* Its name without what separates frames in a folded stack. */
void frame_fold(FILE *stream, const struct source_frame *frame);

#endif
