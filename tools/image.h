/* SPDX-License-Identifier: MIT */
/*
 * image.h - an ELF file, mapped to be looked at. It may have anything in it: nothing outside of it
 * is read, and what lies in it is copied before it is looked at.
 */
#ifndef TOOLS_IMAGE_H
#define TOOLS_IMAGE_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_CLASS (sizeof(void *) > 4 ? ELFCLASS64 : ELFCLASS32)

struct image {
	const char *bytes;
	size_t size;
	ElfW(Ehdr) head;
};

/* Maps a file of so many bytes, whatever it is; false if it is empty or cannot be mapped. */
bool image_map(struct image *image, int fd, size_t size);
void image_unmap(struct image *image);

/* Reads the head of a file of IMAGE_CLASS; false if its sections cannot be read. */
bool image_begin(struct image *image);

bool image_copy(const struct image *image, void *into, size_t size, uint64_t at);
bool image_section(const struct image *image, unsigned index, ElfW(Shdr) * section);
bool image_section_named(const struct image *image, const char *name, ElfW(Shdr) * section);

/* A string of the table in a section, or "". */
const char *image_string(const struct image *image, const ElfW(Shdr) * strings, uint64_t at);

#endif
