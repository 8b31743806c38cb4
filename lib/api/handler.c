/* SPDX-License-Identifier: MIT */
/*
 * handler.c - the fault handler of a heap, and the default one.
 */
#include "handle/enter.h"

int bheap_set_fault_handler(bheap_t *heap, bheap_fault_fn *handler, void *arg)
{
	struct bh_call call;

	if (!heap) {
		bh_fault_set_default(handler, arg);
		return 0;
	}
	if (!bh_enter(&call, heap))
		return -1;
	heap->fault_handler = handler;
	heap->fault_arg = arg;
	bh_leave(&call);
	return 0;
}
