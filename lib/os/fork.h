/* SPDX-License-Identifier: MIT */
/*
 * fork.h - tells that this process is the child of a fork, and keeps the few locks of the whole
 * library. All of it lies in a page that the kernel wipes in the child of a fork, so that it is
 * right there at once: in child handlers of pthread_atfork(3) that run before the library's own,
 * and after _Fork(3). Where the kernel cannot wipe a page, the library's own handler does.
 */
#ifndef BH_FORK_H
#define BH_FORK_H

#include <stdint.h>

enum bh_fork_lock {
	BH_FORK_LOCK_HANDLER, /* of the process-wide fault handler: who sets it */
	BH_FORK_LOCKS
};

struct bh_fork_page {
	unsigned generation; /* differs from that of every ancestor; 0: just forked */
	unsigned locks[BH_FORK_LOCKS];
};

extern struct bh_fork_page *bh_fork_page;

/* 0, or why forks cannot be followed. */
extern int bh_fork_error;

/*
 * For comparison with a generation noted before: no noted one equals that of a child just forked.
 *
 */
static inline unsigned bh_fork_generation(void)
{
	return __atomic_load_n(&bh_fork_page->generation, __ATOMIC_ACQUIRE);
}

/* The generation of this process, never 0; in a child just forked a new one begins. */
unsigned bh_fork_generation_begin(void);

/*
 * Changes with every fork, for the parent and for the child: as long as it does not, no other
 * process can have what this one opened. The parent of _Fork(3) is not told.
 */
uint64_t bh_fork_mark(void);

/* Held for a few instructions only. A fork leaves them open in the child. */
void bh_fork_lock(enum bh_fork_lock lock);
void bh_fork_unlock(enum bh_fork_lock lock);

#endif
