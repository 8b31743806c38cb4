/* SPDX-License-Identifier: MIT */
/*
 * refusal.h - a request for which there is no room: the refusal handler of the heap may make some.
 */
#ifndef BH_REFUSAL_H
#define BH_REFUSAL_H

#include "handle/handle.h"

/* Zero at the first try of a request. */
struct bh_refusal_tries {
	bool last; /* the handler changed nothing that it can be seen by: it is not called again */
};

/*
 * For a request that failed with errno, no lock held. True: the handler wants another try. Keeps
 * errno.
 */
bool bh_refusal_retry(bheap_t *heap, struct bh_refusal_tries *tries, size_t alignment, size_t size);

#endif
