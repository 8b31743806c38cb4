/* SPDX-License-Identifier: MIT */
/*
 * progress.h - a bar on standard error while something takes long; nothing where that is no
 * terminal.
 */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

/* Starts a bar with this text and ends the one before; NULL only ends it. */
void progress_begin(const char *what);

/* 0 to 1; may be called as often as one likes. */
void progress_set(double fraction);

#endif
