/* SPDX-License-Identifier: MIT */
/*
 * line.h - the recorder's line of a call, as text: printf(3) takes longer than malloc(3) does.
 */
#ifndef TOOLS_LINE_H
#define TOOLS_LINE_H

#include <stddef.h>
#include <stdint.h>

/* No line is longer. */
#define LINE_SIZE 80

/* In the order of the line; what is 0 is left out, but for the size of a block that is made. */
struct line {
	char letter; /* a, m, r: a block is made; f: freed */
	uintptr_t old, block;
	size_t alignment, size;
	uint32_t callers;
};

#pragma GCC visibility push(hidden)

/* Writes it with its end, but no zero; returns its length. */
size_t line_write(char text[LINE_SIZE], const struct line *line);

#pragma GCC visibility pop

#endif
