/* SPDX-License-Identifier: MIT */
/*
 * setting.h - the library's settings from the environment, read once, when the library is loaded:
 * a program may call setenv(3) afterwards in any thread. Ignored where the program runs with other
 * privileges than its caller's.
 */
#ifndef BH_SETTING_H
#define BH_SETTING_H

#include <stdbool.h>

struct bh_settings {
	bool aborts;   /* BHEAP_ABORT: after each report */
	bool guards;   /* BHEAP_GUARD: every private heap, in a buffer too, has guards */
	bool charts;   /* BHEAP_MAP: disp_heap() prints a map, too */
	bool redzones; /* unless BHEAP_REDZONE=0: under a tool, a gap after each block */
};

extern struct bh_settings bh_settings;

/* Reads the environment again. For tests. */
void bh_setting_read(void);

#endif
