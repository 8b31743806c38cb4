/* SPDX-License-Identifier: MIT */
/*
 * jump.c - see jump.h. The C library's longjmp() calls the cleanup functions of the frames that it
 * leaves if they were pushed by these two functions, which its headers no longer declare.
 */
#include "os/jump.h"

#pragma weak _pthread_cleanup_push
#pragma weak _pthread_cleanup_pop
void _pthread_cleanup_push(struct _pthread_cleanup_buffer *buffer, void (*routine)(void *),
			   void *arg);
void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *buffer, int execute);

void bh_jump_watch(struct bh_jump_watch *watch, void (*left)(void *arg), void *arg)
{
	if (_pthread_cleanup_push && _pthread_cleanup_pop)
		_pthread_cleanup_push(&watch->buffer, left, arg);
}

void bh_jump_unwatch(struct bh_jump_watch *watch)
{
	if (_pthread_cleanup_push && _pthread_cleanup_pop)
		_pthread_cleanup_pop(&watch->buffer, 0);
}
