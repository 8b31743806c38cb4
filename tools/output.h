/* SPDX-License-Identifier: MIT */
/*
 * output.h - files written whole or not at all: under another name first, which then takes the
 * place of what was there; of what a symbolic link leads to, not of the link. Devices and pipes are
 * written to as they are, and what is open already (/dev/stdout, /dev/fd/3) where it stands.
 */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct output {
	const char *path;
	char *place; /* where that leads to */
	char *draft; /* the other name, or NULL */
	FILE *stream;
};

/* "-" is standard output; NULL: none is wanted, and there is no stream. False after a message. */
bool output_open(struct output *output, const char *path);

/* Puts it in its place; false after a message, with what was there before still there. */
bool output_keep(struct output *output);

/* As if it had never been opened; nothing when it was not, or was kept. */
void output_drop(struct output *output);

#endif
