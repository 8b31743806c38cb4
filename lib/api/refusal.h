/* SPDX-License-Identifier: MIT */
/*
 * refusal.h - a request for which there is no room: the refusal handler of the heap may make some.
 */
#ifndef BH_REFUSAL_H
#define BH_REFUSAL_H

#include <errno.h>

#include "handle/handle.h"

struct bh_refusal_tries {
	int before; /* errno when the request came, which a success leaves alone */
	bool last;  /* the handler changed nothing that it can be seen by: it is not called again */
};

/* Before the first try of a request. */
static inline struct bh_refusal_tries bh_refusal_begin(void)
{
	return (struct bh_refusal_tries){.before = errno};
}

/*
 * For a request that failed with errno, no lock held. True: the handler wants another try, and
 * errno is as it was before the first. False: errno is kept.
 */
bool bh_refusal_retry(bheap_t *heap, struct bh_refusal_tries *tries, size_t alignment, size_t size);

#endif
