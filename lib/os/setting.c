/* SPDX-License-Identifier: MIT */
/*
 * setting.c - a setting is on if its variable is there, not empty and not 0; redzones are on unless
 * theirs is 0.
 */
#include "os/setting.h"

#include <stdlib.h>
#include <string.h>

struct bh_settings bh_settings;

static bool is_on(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value && strcmp(value, "0") != 0;
}

static bool is_off(const char *name)
{
	const char *value = secure_getenv(name);

	return value && strcmp(value, "0") == 0;
}

__attribute__((constructor)) void bh_setting_read(void)
{
	bh_settings = (struct bh_settings){.aborts = is_on("BHEAP_ABORT"),
					   .guards = is_on("BHEAP_GUARD"),
					   .charts = is_on("BHEAP_MAP"),
					   .redzones = !is_off("BHEAP_REDZONE")};
}
