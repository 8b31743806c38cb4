/* SPDX-License-Identifier: MIT */
/*
 * fault.h - reports of misuse and damage: one line of text, made without stdio and allocation.
 * Owns the default handler.
 */
#ifndef BH_FAULT_H
#define BH_FAULT_H

#include "bheap.h"

struct bh_fault_sink {
	bheap_fault_fn *handler; /* NULL: the default one */
	void *arg;
	bool aborts;
};

/*
 * Fills in a fault, its text included; detail (or NULL) says more than the kind does, at (or NULL)
 * which byte of the block it is about.
 */
void bh_fault_describe(struct bheap_fault *fault, enum bheap_fault_kind kind, const bheap_t *heap,
		       const void *address, size_t size, const char *detail, const void *at);

/* Calls the handler, then aborts if the sink or the environment says so. errno is kept. */
void bh_fault_report(const struct bh_fault_sink *sink, const struct bheap_fault *fault);

void bh_fault_set_default(bheap_fault_fn *handler, void *arg);

#endif
