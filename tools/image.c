/* SPDX-License-Identifier: MIT */
/*
 * image.c - see image.h.
 */
#include "image.h"

#include <string.h>
#include <sys/mman.h>

bool image_map(struct image *image, int fd, size_t size)
{
	void *bytes = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;

	*image = (struct image){.size = size};
	if (bytes == MAP_FAILED)
		return false;
	image->bytes = bytes;
	return true;
}

void image_unmap(struct image *image)
{
	munmap((void *)(uintptr_t)image->bytes, image->size);
}

bool image_begin(struct image *image)
{
	return image_copy(image, &image->head, sizeof(image->head), 0) &&
	       image->head.e_shentsize == sizeof(ElfW(Shdr));
}

bool image_copy(const struct image *image, void *into, size_t size, uint64_t at)
{
	if (at > image->size || size > image->size - at)
		return false;
	memcpy(into, image->bytes + at, size);
	return true;
}

const char *image_string(const struct image *image, const ElfW(Shdr) * strings, uint64_t at)
{
	uint64_t from = strings->sh_offset + at;

	if (from >= image->size || !memchr(image->bytes + from, '\0', image->size - (size_t)from))
		return "";
	return image->bytes + from;
}

bool image_section(const struct image *image, unsigned index, ElfW(Shdr) * section)
{
	return index < image->head.e_shnum &&
	       image_copy(image, section, sizeof(*section),
			  image->head.e_shoff + (uint64_t)index * sizeof(*section));
}

bool image_section_named(const struct image *image, const char *name, ElfW(Shdr) * section)
{
	ElfW(Shdr) strings;

	if (!image_section(image, image->head.e_shstrndx, &strings))
		return false;
	for (unsigned index = 0; image_section(image, index, section); index++)
		if (strcmp(image_string(image, &strings, section->sh_name), name) == 0)
			return true;
	return false;
}
