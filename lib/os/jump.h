/* SPDX-License-Identifier: MIT */
/*
 * jump.h - handlers that longjmp(3) leaves: a function is told. Keeps errno.
 */
#ifndef BH_JUMP_H
#define BH_JUMP_H

#include <pthread.h>

struct bh_jump_watch {
	struct _pthread_cleanup_buffer buffer;
};

/*
 * From now on left(arg) is called if longjmp() leaves the caller's frame, in which watch is. Where
 * the C library does not tell (before glibc 2.34, without threads), it is not called.
 */
void bh_jump_watch(struct bh_jump_watch *watch, void (*left)(void *arg), void *arg);

/* The frame is about to be left by return. */
void bh_jump_unwatch(struct bh_jump_watch *watch);

#endif
