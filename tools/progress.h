/* SPDX-License-Identifier: MIT */
/*
 * progress.h - a bar on standard error while something takes long; nothing where that is no
 * terminal.
 */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

/* What is going on from here on; ends the bar before. NULL: nothing any more. */
void progress_begin(const char *what);

/* 0 to 1; may be called as often as one likes. */
void progress_set(double fraction);

#endif
