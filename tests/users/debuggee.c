/* SPDX-License-Identifier: MIT */
/*
 * debuggee.c - a program to look at from outside: makes one of each kind of heap, and one of each
 * kind of event, in a known order; writes a table of each heap; then comes by stop_here(). Its
 * argument is a file for the shared heap.
 */
#include <bheap.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bheap_t *guarded, *shared, *in_buffer;
char *classic[4], *block, *guarded_block, *malloced;
void *volatile freed; /* volatile: the compiler is not to see what is done with it */
static char buffer[4096];

__attribute__((noipa)) void stop_here(void)
{
	__asm__ volatile("");
}

static void heaps_make(const char *path)
{
	guarded = bheap_create(65536, BHEAP_GUARD);
	in_buffer = bheap_create_in(buffer, sizeof(buffer), BHEAP_UNLOCKED);
	shared = bheap_open(path, 1 << 20, O_RDWR | O_CREAT, 0600, 0);
	if (init_heap(8192) || !guarded || !in_buffer || !shared)
		exit(1);
}

/* Blocks of 16, 112, 208 and 304 bytes; the second and the last are free again. */
static void classic_fill(void)
{
	for (size_t index = 0; index < 4; index++) {
		classic[index] = balloc(16 + 96 * index);
		if (!classic[index])
			exit(1);
		memset(classic[index], 'x', 16 + 96 * index);
	}
	bfree(classic[1]);
	bfree(classic[3]);
}

/* A refusal; a reset; a double free; and a freed block that is written to, which the next two uses
 * find. */
static void events_cause(void)
{
	void *refused = bheap_alloc(guarded, 1 << 20);

	bheap_free(guarded, refused);
	freed = bheap_alloc(in_buffer, 64);
	bheap_reset(in_buffer);
	freed = bheap_alloc(in_buffer, 160);
	block = bheap_alloc(in_buffer, 32);
	bheap_free(in_buffer, freed);
	bheap_free(in_buffer, freed);
	memset(freed, 'x', 16);
	bheap_free(in_buffer, bheap_alloc(in_buffer, 160));
}

/* What the library itself shows. */
static void table_write(bheap_t *heap, const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file || bheap_display(heap, file) || fclose(file))
		exit(1);
}

int main(int argc, char **argv)
{
	malloced = malloc(1000);
	if (argc != 2 || !malloced)
		return 2;
	heaps_make(argv[1]);
	classic_fill();
	events_cause();
	block = bheap_alloc(shared, 1000);
	guarded_block = bheap_alloc(guarded, 40);
	if (!block || !guarded_block)
		return 1;
	bheap_set_limit(guarded, 5000);
	bheap_set_limit(shared, 6000);
	table_write(bheap_default(), "classic.table");
	table_write(guarded, "guarded.table");
	table_write(in_buffer, "in_buffer.table");
	table_write(shared, "shared.table");
	stop_here();
	return 0;
}
