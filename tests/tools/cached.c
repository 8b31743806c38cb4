/* SPDX-License-Identifier: MIT */
/*
 * cached.c - a program for cached_faults.sh that writes into a block it has freed, which the
 * library may keep in a thread's cache. "forge": the whole block holds the address of memory that
 * is no block; malloc() must not return it. "double": the block is overwritten, and freed again;
 * malloc() must not return it twice. The size of the blocks comes next; with "thread" behind it, in
 * a second thread.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <stdlib.h>

#define SIZE_MOST 512
#define BLOCKS 200

static void *volatile target[SIZE_MOST] __attribute__((aligned(16)));
static size_t size;

/* The compiler must not know that the block was freed. */
static void **hidden(void *block)
{
	void *volatile copy = block;

	return copy;
}

static int is_target(const void *block)
{
	uintptr_t at = (uintptr_t)block, start = (uintptr_t)target;

	return at + size > start && at < start + sizeof(target);
}

/* The blocks freed last are handed out first: some lie behind the one that is written to. */
static int forge(void)
{
	void *blocks[BLOCKS], **freed;
	int failed = 0;

	for (size_t index = 0; index < BLOCKS; index++)
		blocks[index] = malloc(size);
	for (size_t index = 0; index < BLOCKS; index += 2)
		free(blocks[index]);
	for (size_t index = 0; index < BLOCKS; index += 2) {
		freed = hidden(blocks[index]);
		for (size_t word = 0; word < size / sizeof(void *); word++)
			freed[word] = (void *)(uintptr_t)target;
	}
	for (size_t index = 0; index < BLOCKS; index += 2) {
		blocks[index] = malloc(size);
		failed |= !blocks[index] || is_target(blocks[index]);
	}
	/* Each is its own: none was handed out twice. */
	for (size_t index = 0; index < BLOCKS && !failed; index++)
		memset(blocks[index], (int)index, size);
	for (size_t index = 0; index < BLOCKS && !failed; index++)
		failed |= ((unsigned char *)blocks[index])[size - 1] != (unsigned char)index;
	return failed;
}

/* Other blocks keep the freed one from being merged or handed out. */
static int double_free(void)
{
	void *before = malloc(size), *block = malloc(size), *behind = malloc(size), *one, *other;
	void **freed = hidden(block);

	free(block);
	memset(freed, 'A', size);
	free(hidden(freed));
	one = malloc(size);
	other = malloc(size);
	free(before);
	free(behind);
	return one == other;
}

static void *scenario(void *name)
{
	int failed = strcmp(name, "forge") == 0 ? forge() : double_free();

	return (void *)(intptr_t)failed;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void *failed;

	size = argc > 2 ? (size_t)atoi(argv[2]) : 0;
	if (size < 16 || size > SIZE_MOST)
		return 2;
	if (argc == 3)
		return scenario(argv[1]) != NULL;
	if (pthread_create(&thread, NULL, scenario, argv[1]) || pthread_join(thread, &failed))
		return 2;
	return failed != NULL;
}
