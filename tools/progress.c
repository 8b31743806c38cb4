/* SPDX-License-Identifier: MIT */
/*
 * progress.c - see progress.h.
 */
#include "progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define BAR 40

static const char *task;
static int shown = -1; /* per cent */

static bool is_visible(void)
{
	static int terminal = -1;

	if (terminal < 0)
		terminal = isatty(STDERR_FILENO);
	return terminal == 1;
}

void progress_begin(const char *what)
{
	if (task && is_visible())
		fputs("\r\033[K", stderr);
	task = what;
	shown = -1;
	progress_set(0);
}

void progress_set(double fraction)
{
	int percent = (int)(100 * (fraction < 0 ? 0 : fraction > 1 ? 1 : fraction));
	int done = percent * BAR / 100;

	if (!task || percent == shown || !is_visible())
		return;
	shown = percent;
	fprintf(stderr, "\r%-22s [%.*s%.*s] %3d %%", task, done,
		"########################################", BAR - done,
		"........................................", percent);
	fflush(stderr);
}
