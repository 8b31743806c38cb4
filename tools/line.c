/* SPDX-License-Identifier: MIT */
/*
 * line.c - see line.h.
 */
#include "line.h"

#define DIGITS_MOST 20

static char *address_write(char *at, uintptr_t address)
{
	static const char digits[] = "0123456789abcdef";
	int shift = (63 ^ __builtin_clzll(address)) & ~3;

	*at++ = ' ';
	*at++ = '0';
	*at++ = 'x';
	for (; shift >= 0; shift -= 4)
		*at++ = digits[address >> shift & 15];
	return at;
}

static char *number_write(char *at, uint64_t number)
{
	char digits[DIGITS_MOST];
	unsigned count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while (number /= 10);
	*at++ = ' ';
	while (count)
		*at++ = digits[--count];
	return at;
}

size_t line_write(char text[LINE_SIZE], const struct line *line)
{
	char *at = text;

	*at++ = line->letter;
	if (line->old)
		at = address_write(at, line->old);
	if (line->block)
		at = address_write(at, line->block);
	if (line->alignment)
		at = number_write(at, line->alignment);
	if (line->letter != 'f')
		at = number_write(at, line->size);
	if (line->callers)
		at = number_write(at, line->callers);
	*at++ = '\n';
	return (size_t)(at - text);
}
