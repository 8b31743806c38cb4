/* SPDX-License-Identifier: MIT */
/*
 * size_text.c - see size_text.h.
 */
#include "size_text.h"

#include <bheap.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KIB 1024u

/* The number of bits that a suffix shifts by; -1 for an unknown one. */
static int suffix_shift(const char *suffix)
{
	static const char letters[] = "kmg";
	const char *letter;

	if (!*suffix)
		return 0;
	letter = strchr(letters, *suffix | 0x20);
	if (!letter || (suffix[1] && strcasecmp(suffix + 1, "iB") != 0))
		return -1;
	return 10 * (int)(letter - letters + 1);
}

bool size_parse(const char *text, size_t *size)
{
	unsigned long long number;
	char *rest;
	int shift;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &rest, 10);
	shift = suffix_shift(rest);
	if (errno || shift < 0 || !number || number > BHEAP_SIZE_MAX >> shift)
		return false;
	*size = (size_t)number << shift;
	return true;
}

char *size_print(char text[static SIZE_TEXT_MAX], uint64_t size)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double number = (double)size / KIB;
	size_t unit = 0;

	if (size < 10 * KIB) {
		snprintf(text, SIZE_TEXT_MAX, "%" PRIu64 " byte%s", size, plural(size));
		return text;
	}
	while (number >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
		number /= KIB;
		unit++;
	}
	snprintf(text, SIZE_TEXT_MAX, "%.*f %s",
		 number < 10    ? 2
		 : number < 100 ? 1
				: 0,
		 number, units[unit]);
	return text;
}

char *size_print_refused(char text[static SIZE_TEXT_MAX], uint64_t size)
{
	if (size < SIZE_REFUSED_MOST)
		return size_print(text, size);
	return strcpy(text, "64 GiB or more");
}
