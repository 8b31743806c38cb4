/* SPDX-License-Identifier: MIT */
/*
 * execution.h - the functions that execute a program, exec(3) and posix_spawn(3), as a preloaded
 * module has them: the table (table.h) is told of the program before the C library's own are
 * called. The program registers when it begins, unless nothing can be preloaded into it. Refuses to
 * change arguments, and the environment but for a library that cannot be loaded, and to see system
 * calls that are made otherwise.
 */
#ifndef TOOLS_EXECUTION_H
#define TOOLS_EXECUTION_H

#include "table.h"

#pragma GCC visibility push(hidden)

/* From now on executions are told; variable: by which programs find the table. */
void execution_open(const struct table_view *view, const char *variable);

#pragma GCC visibility pop

#endif
