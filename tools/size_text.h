/* SPDX-License-Identifier: MIT */
/*
 * size_text.h - sizes as people write them, in one way for the programs and for libbheap-malloc:
 * a decimal number of bytes, or of KiB, MiB, GiB followed by K, M or G. Allocates nothing.
 */
#ifndef TOOLS_SIZE_TEXT_H
#define TOOLS_SIZE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest heap, BHEAP_SIZE_MAX, as a message names it. */
#if SIZE_MAX > 0xffffffff
#define SIZE_TEXT_LARGEST "64G"
#else
#define SIZE_TEXT_LARGEST "2097088K"
#endif

/* False for what is no size, for 0, and for more than a heap can have. */
bool size_parse(const char *text, size_t *size);

#define SIZE_TEXT_MAX 24

/* What follows the name of so many things: "" for one, else "s". */
static inline const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* "4096 bytes" to "1.50 GiB", three or four digits; returns text. */
char *size_print(char text[static SIZE_TEXT_MAX], uint64_t size);

/* The largest_refused of the statistics that stands for any larger request, too. */
#define SIZE_REFUSED_MOST (((uint64_t)1 << 36) - 16)

/* The same for a refused request: "64 GiB or more" if its size is not known. */
char *size_print_refused(char text[static SIZE_TEXT_MAX], uint64_t size);

#endif
