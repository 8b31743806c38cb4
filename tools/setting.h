/* SPDX-License-Identifier: MIT */
/*
 * setting.h - the environment as the preloaded libraries see it, also before the C library was told
 * of it: the functions of .preinit_array may allocate. Allocates nothing.
 */
#ifndef TOOLS_SETTING_H
#define TOOLS_SETTING_H

#include <stdbool.h>

/* NULL: not set, or the program runs with other privileges than its caller's. */
const char *setting_find(const char *name);

/* False for 0; otherwise, if it is not set or empty. */
bool setting_is_on(const char *name, bool otherwise);

/* Releases the strings found before. */
void setting_end(void);

#endif
