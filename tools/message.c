/* SPDX-License-Identifier: MIT */
/*
 * message.c - warn(3), warnx(3) and err(3) of this program, instead of those of the C library: a
 * name in a message cannot do anything to a terminal.
 */
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

/* error: what went wrong, or 0. */
static void __attribute__((format(printf, 1, 0)))
message(const char *format, va_list values, int error)
{
	char text[2 * UTF8_TEXT_MAX];

	vsnprintf(text, sizeof(text), format, values);
	utf8_clean_lines(text);
	fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, text, error ? ": " : "",
		error ? strerror(error) : "");
}

void warn(const char *format, ...)
{
	int error = errno;
	va_list values;

	va_start(values, format);
	message(format, values, error);
	va_end(values);
}

void warnx(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	message(format, values, 0);
	va_end(values);
}

void err(int status, const char *format, ...)
{
	int error = errno;
	va_list values;

	va_start(values, format);
	message(format, values, error);
	va_end(values);
	exit(status);
}
