/* SPDX-License-Identifier: MIT */
/*
 * valid_use.c - every right way to get a block or a heap and give it back. Compiled, never run: no
 * compiler may warn of it.
 */
#include <bheap.h>
#include <fcntl.h>
#include <string.h>

int block_resized(bheap_t *heap)
{
	char *block = bheap_alloc(heap, 10), *larger;

	if (!block)
		return -1;
	strcpy(block, "hello");
	larger = bheap_realloc(heap, block, 100);
	if (!larger) {
		bheap_free(heap, block); /* a refusal leaves the old one */
		return -1;
	}
	strcat(larger, ", world");
	return bheap_free(heap, larger);
}

int blocks_of_every_kind(bheap_t *heap)
{
	int *array = bheap_calloc(heap, 10, sizeof(*array));
	void *line = bheap_aligned_alloc(heap, 64, 64);

	if (array)
		array[9] = 1;
	return bheap_free(heap, array) | bheap_free(heap, line);
}

int array_resized(bheap_t *heap, size_t count)
{
	int *array = bheap_reallocarray(heap, NULL, 10, sizeof(*array)), *larger;

	if (!array)
		return -1;
	array[9] = 1;
	larger = bheap_reallocarray(heap, array, count, sizeof(*array));
	return bheap_free(heap, larger ? larger : array);
}

/* What is copied need have no end where bheap_strndup() stops. */
int strings(bheap_t *heap, const char *name)
{
	static const char letters[4] = {'b', 'h', 'e', 'a'};
	char *copy = bheap_strdup(heap, name), *start = bheap_strndup(heap, letters, 4);

	if (copy)
		copy[0] = 'B';
	return bheap_free(heap, copy) | bheap_free(heap, start);
}

int classic_block(void)
{
	char *block;

	if (init_heap(4096))
		return -1;
	block = balloc(10);
	if (!block)
		return -1;
	block[9] = 1;
	return bfree(block);
}

/* The classic heap is the default heap, and both ways lead to it. */
int classic_block_resized(void)
{
	char *block = balloc(10), *larger;

	if (!block)
		return -1;
	larger = bheap_realloc(bheap_default(), block, 20);
	return bfree(larger ? larger : block);
}

int classic_block_by_handle(void)
{
	return bheap_free(bheap_default(), balloc(10));
}

/* Any address may be asked about, one where nothing is stored, too. */
bool any_address(const bheap_t *heap)
{
	char local[100];

	return bheap_owns(heap, local) || bheap_offset(heap, local);
}

/* An address that was kept as an offset may be asked about after its block was freed. */
bool freed_address(bheap_t *heap)
{
	void *block = bheap_alloc(heap, 10);
	uint64_t offset = bheap_offset(heap, block);

	bheap_free(heap, block);
	return bheap_owns(heap, bheap_pointer(heap, offset));
}

int usable_block(bheap_t *heap)
{
	char *block = bheap_alloc(heap, 0), *all;
	size_t size = bheap_usable_size(heap, block);

	if (!block)
		return -1;
	all = bheap_realloc(heap, block, size);
	if (!all)
		return bheap_free(heap, block);
	memset(all, 0, size);
	return bheap_free(heap, all);
}

int heap_with_block(void)
{
	bheap_t *heap = bheap_create(4096, BHEAP_UNLOCKED);
	void *block;

	if (!heap)
		return -1;
	block = bheap_alloc(heap, 10);
	bheap_free(heap, block);
	return bheap_destroy(heap);
}

int heap_in_buffer(void)
{
	static char buffer[4096];
	bheap_t *heap = bheap_create_in(buffer, sizeof(buffer), 0);
	char *block = bheap_alloc(heap, 10);

	return bheap_free(heap, block);
}

int heap_in_buffer_of_size(void *(*get)(size_t size))
{
	size_t bytes = bheap_buffer_size(1000, BHEAP_UNLOCKED);
	bheap_t *heap = bheap_create_in(get(bytes), bytes, BHEAP_UNLOCKED);

	return bheap_free(heap, bheap_alloc(heap, 1000));
}

int heap_shared(void)
{
	bheap_t *heap = bheap_open("/cache", 1 << 20, O_RDWR | O_CREAT, 0600, BHEAP_OWNED);

	return heap ? bheap_close(heap) : -1;
}

int heap_shared_destroyed(int fd)
{
	bheap_t *heap = bheap_open_fd(fd, 0, 0);

	return heap ? bheap_destroy(heap) : -1;
}
