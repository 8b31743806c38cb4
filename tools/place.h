/* SPDX-License-Identifier: MIT */
/*
 * place.h - where in a running process libbheap-malloc lies: in each file that is mapped the note
 * of libbheap is looked for, in memory, and then the section of the heap's address, in the file.
 */
#ifndef TOOLS_PLACE_H
#define TOOLS_PLACE_H

#include "living.h"

/* Fills in fields and root; NULL, or why there are none. *denied: the memory may not be read. */
const char *place_find(struct living *living, bool *denied);

#endif
