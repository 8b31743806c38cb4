/* SPDX-License-Identifier: MIT */
/*
 * lifetime.c - allocates from before the first constructor until after the last destructor of the
 * program, with a thread that never stops, for family.sh. Status 0 if all blocks held what was put
 * in them.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE 100

static char *early, *constructed;

static bool is_filled(const char *block, char with)
{
	for (size_t at = 0; at < SIZE; at++)
		if (block[at] != with)
			return false;
	return true;
}

static char *block_make(char with)
{
	char *block = malloc(SIZE);

	if (!block)
		_exit(2);
	memset(block, with, SIZE);
	free(malloc(SIZE));
	return block;
}

/* The C library does not even know the environment yet. */
static void before_constructors(void)
{
	early = block_make(1);
}
__attribute__((section(".preinit_array"),
	       used)) static void (*const preinit)(void) = before_constructors;

__attribute__((constructor(101))) static void first_constructor(void)
{
	constructed = block_make(2);
}

__attribute__((destructor(101))) static void last_destructor(void)
{
	char *late = block_make(3);

	if (!is_filled(early, 1) || !is_filled(constructed, 2) || !is_filled(late, 3))
		_exit(3);
	free(early);
	free(constructed);
	free(late);
}

static void at_exit(void)
{
	free(realloc(block_make(4), SIZE * SIZE));
}

static void *thread_run(void *unused)
{
	for (;;)
		free(malloc(SIZE));
	return unused;
}

int main(void)
{
	pthread_t thread;

	return atexit(at_exit) || pthread_create(&thread, NULL, thread_run, NULL);
}
