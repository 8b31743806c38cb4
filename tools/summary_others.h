/* SPDX-License-Identifier: MIT */
/*
 * summary_others.h - the part of a summary about all processes but the program itself: a line for
 * each, or for all that ran one program.
 */
#ifndef TOOLS_SUMMARY_OTHERS_H
#define TOOLS_SUMMARY_OTHERS_H

#include "summary.h"

/* False, and nothing printed, if there are none. */
bool summary_others_print(FILE *stream, const struct summary *summary);

#endif
