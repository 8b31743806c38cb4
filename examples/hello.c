/* SPDX-License-Identifier: MIT */
/*
 * hello.c - the smallest complete program: creates a heap, allocates three blocks, frees one of
 * them, and prints the table of blocks.
 *
 *	cc hello.c -o hello $(pkg-config --cflags --libs libbheap)
 */
#include <bheap.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	char *hello, *scratch, *world;

	if (init_heap(4096)) {
		perror("init_heap");
		return 1;
	}
	hello = balloc(6);
	scratch = balloc(1000);
	world = balloc(6);
	if (!hello || !scratch || !world) {
		perror("balloc");
		return 1;
	}
	strcpy(hello, "hello");
	strcpy(world, "world");
	bfree(scratch); /* a gap between the two: see the table */
	printf("%s, %s\n", hello, world);
	disp_heap();
	return 0;
}
