/* SPDX-License-Identifier: MIT */
/*
 * locate.h - where in a running process libbheap-malloc lies: in each file that is mapped the note
 * of libbheap is looked for, in memory, and then the section of the heap's address, in the file.
 */
#ifndef TOOLS_LOCATE_H
#define TOOLS_LOCATE_H

#include "living.h"

/* Fills in fields and root; NULL, or why there are none. *denied: the memory may not be read. */
const char *locate_find(struct living *living, bool *denied);

#endif
