/* SPDX-License-Identifier: MIT */
/*
 * inspect.h - a guarded heap looked through at the end of its program: writes past the end of
 * blocks that were never freed, and to freed ones that were not handed out again. Refuses to know
 * where reports go. Allocates nothing.
 */
#ifndef TOOLS_INSPECT_H
#define TOOLS_INSPECT_H

#include <bheap.h>

/*
 * Calls tell() for each fault, the first INSPECT_MOST of them; their number. What lies from fresh
 * on was never in use.
 */
#define INSPECT_MOST 20
size_t inspect_heap(const bheap_t *heap, const char *fresh,
		    void (*tell)(const struct bheap_fault *fault));

#endif
