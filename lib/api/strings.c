/* SPDX-License-Identifier: MIT */
/*
 * strings.c - copies of strings, each in a block of its own.
 */
#include "api/blocks.h"

#include <string.h>

static char *copy_make(bheap_t *heap, const char *string, size_t length)
{
	char *copy = bh_block_alloc(heap, length + 1);

	if (!copy)
		return NULL;
	copy[length] = '\0';
	return memcpy(copy, string, length);
}

char *bheap_strdup(bheap_t *heap, const char *string)
{
	return string ? copy_make(heap, string, strlen(string)) : bh_block_refuse(EINVAL);
}

char *bheap_strndup(bheap_t *heap, const char *string, size_t size)
{
	return string ? copy_make(heap, string, strnlen(string, size)) : bh_block_refuse(EINVAL);
}
