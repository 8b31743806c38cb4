/* SPDX-License-Identifier: MIT */
/*
 * leaks.c - finds leaks: each block begins with the source line that allocated it, and a walk over
 * the heap lists these lines for all live blocks.
 */
#include <bheap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Before the bytes of the program; as large as keeps them aligned. */
union tag {
	struct {
		const char *place;
		size_t size;
	} of;
	char room[BHEAP_ALIGNMENT];
};

#define TEXT_(line) #line
#define TEXT(line) TEXT_(line)
#define tagged_alloc(heap, size) tagged_alloc_at(heap, size, __FILE__ ":" TEXT(__LINE__))

static void *tagged_alloc_at(bheap_t *heap, size_t size, const char *place)
{
	union tag *tag = NULL;

	if (size <= SIZE_MAX - sizeof(*tag))
		tag = bheap_alloc(heap, sizeof(*tag) + size);
	if (!tag)
		return NULL;
	tag->of.place = place;
	tag->of.size = size;
	return tag + 1;
}

static void tagged_free(bheap_t *heap, void *block)
{
	if (block)
		bheap_free(heap, (union tag *)block - 1);
}

static int leak_print(const struct bheap_block *block, void *arg)
{
	const union tag *tag = block->address;

	if (!block->used)
		return 0;
	++*(unsigned *)arg;
	printf("%s: %zu bytes\n", tag->of.place, tag->of.size);
	return 0;
}

int main(void)
{
	bheap_t *heap = bheap_create(65536, 0);
	char *name, *value;
	unsigned leaks = 0;

	if (!heap) {
		perror("bheap_create");
		return 1;
	}
	name = tagged_alloc(heap, 20);
	value = tagged_alloc(heap, 100);
	if (name && value) {
		strcpy(name, "colour");
		strcpy(value, "blue");
		printf("%s = %s\n", name, value);
	}
	tagged_free(heap, name);
	if (bheap_walk(heap, leak_print, &leaks))
		perror("bheap_walk");
	printf("%u not freed\n", leaks);
	bheap_destroy(heap);
	return 0;
}
