/* SPDX-License-Identifier: MIT */
/*
 * call.h - one call's critical section: the heap, how it is locked, and the faults to be reported
 * once the lock is released.
 */
#ifndef BH_CALL_H
#define BH_CALL_H

#include "handle/handle.h"

struct bh_call_report {
	enum bheap_fault_kind kind;
	const void *address;
	size_t size;
	const char *detail; /* or NULL */
	const void *at;     /* the first byte concerned, or NULL */
};

/* As many as a resize with a move can find. Those on many blocks report in batches. */
#define BH_REPORTS_MAX 22
/*
 * Of one operation: recovery, overflow, written in front, two written neighbours, rebuilds, written
 * memory.
 */
#define BH_REPORTS_OF_BLOCK 9

struct bh_call {
	bheap_t *heap;
	enum bh_lock_result lock;
	unsigned generation;  /* of the process that entered: fork.h */
	uint32_t top, victim; /* as bh_fill_watch() saw them */
	bool closed;          /* the caches, until this call ends */
	unsigned count;
	struct bh_call_report reports[BH_REPORTS_MAX];
};

/* Notes a fault of an entered call: counted now, reported when the lock is released. */
void bh_call_note(struct bh_call *call, enum bheap_fault_kind kind, const void *address,
		  size_t size, const char *detail);

/* Notes a fault with all that a report has. */
void bh_call_note_report(struct bh_call *call, const struct bh_call_report *report);

/* True if another operation might find more than there is room for. */
static inline bool bh_call_is_full(const struct bh_call *call)
{
	return call->count > BH_REPORTS_MAX - BH_REPORTS_OF_BLOCK;
}

/* Reports, with no lock held, what was noted. */
void bh_call_report(const struct bh_call *call, const struct bh_fault_sink *sink);

#endif
