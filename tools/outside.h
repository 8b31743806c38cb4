/* SPDX-License-Identifier: MIT */
/*
 * outside.h - what of a program's resident memory is not in its heap: code, and what it maps
 * itself.
 */
#ifndef TOOLS_OUTSIDE_H
#define TOOLS_OUTSIDE_H

#include <stdio.h>

#include "records.h"

/* A line for "bheap run"; nothing if it is not known. record: the program's, or NULL. */
void outside_print(FILE *stream, const struct record *record);

#endif
