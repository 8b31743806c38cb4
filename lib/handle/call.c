/* SPDX-License-Identifier: MIT */
/*
 * call.c - faults are noted while the heap is locked, and reported when it is not.
 */
#include "handle/call.h"

void bh_call_note_report(struct bh_call *call, const struct bh_call_report *report)
{
	BH_ASSERT(call->count <= BH_REPORTS_MAX);
	call->heap->core.control->faults++;
	if (call->count < BH_REPORTS_MAX)
		call->reports[call->count++] = *report;
}

void bh_call_note(struct bh_call *call, enum bheap_fault_kind kind, const void *address,
		  size_t size, const char *detail)
{
	bh_call_note_report(call, &(struct bh_call_report){kind, address, size, detail, NULL});
}

void bh_call_report(const struct bh_call *call, const struct bh_fault_sink *sink)
{
	for (unsigned index = 0; index < call->count; index++) {
		const struct bh_call_report *report = &call->reports[index];
		struct bheap_fault fault;

		bh_fault_describe(&fault, report->kind, call->heap, report->address, report->size,
				  report->detail, report->at);
		bh_fault_report(sink, &fault);
	}
}
