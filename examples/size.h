/* SPDX-License-Identifier: MIT */
/*
 * size.h - parses sizes such as 65536, 64k, 1M or 2G, for all examples that take a size.
 */
#ifndef SIZE_H
#define SIZE_H

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A number with an optional suffix k, M or G, small or large; false for anything else. */
static inline bool size_parse(const char *text, size_t *size)
{
	static const char suffixes[] = "kmg";
	unsigned shift = 0;
	const char *suffix;
	uintmax_t number;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	number = strtoumax(text, &end, 10);
	suffix = *end ? strchr(suffixes, tolower((unsigned char)*end)) : NULL;
	if (suffix) {
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		end++;
	}
	if (*end || errno || number > SIZE_MAX >> shift)
		return false;
	*size = (size_t)number << shift;
	return true;
}

#endif
