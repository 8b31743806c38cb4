/* SPDX-License-Identifier: MIT */
/*
 * others.h - what "bheap size" says of the processes that it does not size: a line for each
 * program. Only their peak is known, as glibc has it.
 */
#ifndef TOOLS_OTHERS_H
#define TOOLS_OTHERS_H

#include "streams.h"

/* To standard error. all: the best of the streams is told of, too, for another may be sized. */
void others_tell(const struct streams *streams, bool all);

#endif
