/* SPDX-License-Identifier: MIT */
/*
 * installcheck.c - a user's program: what installcheck.sh compiles against the installed library.
 * Uses the classic heap and a heap of its own; fails when header and library differ in version.
 */
#include <bheap.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what)
{
	fprintf(stderr, "installcheck: %s\n", what);
	return 1;
}

int main(void)
{
	struct bheap_stats stats;
	bheap_t *heap;
	char *text;

	if (strcmp(bheap_version(), BHEAP_VERSION_STRING))
		return fail("the header is of another version than the library");

	if (init_heap(1) || !(text = balloc(4096)))
		return fail("a heap of one page does not hold a page");
	memset(text, 'x', 4096);
	disp_heap();
	if (balloc(1) || bfree(text) || bfree(NULL) != -1)
		return fail("the classic heap breaks its contract");

	heap = bheap_create(1 << 20, BHEAP_GUARD);
	if (!heap || !(text = bheap_calloc(heap, 10, 100)))
		return fail("no heap, or no block in it");
	if (bheap_stats(heap, &stats) || stats.live_blocks != 1 || bheap_check(heap, NULL))
		return fail("the heap is not as it should be");
	if (bheap_free(heap, text) || bheap_destroy(heap))
		return fail("free or destroy failed");
	puts("version " BHEAP_VERSION_STRING " works");
	return 0;
}
