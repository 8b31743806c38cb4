/* SPDX-License-Identifier: MIT */
/*
 * borrow.h - the record of a process in the table of the "bheap run" that it runs under, for
 * whoever may not read its memory. It may be old (account.h). Nothing in it is trusted.
 */
#ifndef TOOLS_BORROW_H
#define TOOLS_BORROW_H

#include "process.h"
#include "records.h"

/* False if there is none, or it may not be read. */
bool borrow_record(struct record *record, const struct process *process);

#endif
