/* SPDX-License-Identifier: MIT */
/*
 * account.h - what the heap of libbheap-malloc came to, kept where it outlives the process: in the
 * slot that bheap gave it (table.h), and in the files of BHEAP_MALLOC_REPORT (ledger.h). Figures
 * are noted as the heap grows and as blocks are freed, since a program may end without telling;
 * when a request is first refused; and, with all blocks, at the end. Allocates nothing.
 */
#ifndef TOOLS_ACCOUNT_H
#define TOOLS_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

/* With accounts, figures are noted at least each time that so many bytes were freed, or taken. */
#define ACCOUNT_FREED ((size_t)64 << 10)
#define ACCOUNT_GROWTH ((size_t)4 << 10)

/* The order is that of table_slot.figures, and of the names in records.c. */
enum account_figure {
	ACCOUNT_SIZE,
	ACCOUNT_USED,
	ACCOUNT_LARGEST_FREE,
	ACCOUNT_LIVE_BLOCKS,
	ACCOUNT_FREE_BLOCKS,
	ACCOUNT_PEAK_USED,
	ACCOUNT_EXTENT,
	ACCOUNT_ALLOCATIONS,
	ACCOUNT_FREES,
	ACCOUNT_FAILURES,
	ACCOUNT_FAULTS,
	ACCOUNT_LARGEST_HOLE, /* largest free block, of what lies below the extent */
	ACCOUNT_LARGEST_REFUSED,
	ACCOUNT_WALKED,   /* 0: what free blocks there are is not known */
	ACCOUNT_COUNTED,  /* bytes that this process has in the sum of all */
	ACCOUNT_SNAPSHOT, /* bytes of the snapshot in the area */
	ACCOUNT_FIGURES,
};

/* Once, when the heap is made: reads the settings. */
void account_open(void);
bool account_is_wanted(void);

/* Inside budget_enter(): notes the figures, and sets budget.mark. */
void account_note(void);

/* In a signal handler: one fault more, which may be noted by nobody else. */
void account_fault(void);

/* Inside: a request was refused for the first time. */
void account_refusal(void);

/* Inside: the process is about to be aborted, for a refusal or a fault. */
void account_abort(void);

/* Inside, in the child of a fork: it gets a slot of its own. */
void account_fork(void);

/* The same in the handlers of fork(2): the first before it, and then one of the others. */
void account_fork_prepare(void);
void account_fork_parent(void);
void account_fork_child(void);

#endif
