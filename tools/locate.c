/* SPDX-License-Identifier: MIT */
/*
 * locate.c - see locate.h. The file is used only if its beginning is that of what is mapped.
 */
#include "locate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"

#define SEGMENTS_MOST 64
#define NOTES_MOST ((size_t)64 << 10)
#define NOTE_TYPE 1
#define NOTE_OWNER "bheap"
#define SECTION ".bheap.malloc"
#define BEGINNING ((size_t)4096)

/* The beginning of a file as it is mapped. */
struct mapping {
	unsigned long long start, end;
	const char *path;
};

/* ---- the note ---- */

static size_t padded(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

/* The fields of the note of libbheap, if it is among these. */
static bool notes_search(struct living *living, const char *notes, size_t size)
{
	for (size_t at = 0; size - at >= 12;) {
		uint32_t head[3];
		size_t from, next;

		memcpy(head, notes + at, sizeof(head));
		if (head[0] > size || head[1] > size)
			return false;
		from = at + sizeof(head) + padded(head[0]);
		next = from + padded(head[1]);
		if (next > size)
			return false;
		if (head[2] == NOTE_TYPE && head[0] == sizeof(NOTE_OWNER) &&
		    memcmp(notes + at + sizeof(head), NOTE_OWNER, sizeof(NOTE_OWNER)) == 0) {
			/* The field count is bounded by what there is room for. */
			living->field_count = head[1] / sizeof(*living->fields);
			if (living->field_count > LIVING_FIELDS_MOST)
				living->field_count = LIVING_FIELDS_MOST;
			memcpy(living->fields, notes + from,
			       living->field_count * sizeof(*living->fields));
			return true;
		}
		at = next;
	}
	return false;
}

static bool segment_search(struct living *living, uint64_t address, size_t size)
{
	char *notes = size <= NOTES_MOST ? malloc(size) : NULL;
	bool found = notes && process_read(living->process->pid, address, notes, size) &&
		     notes_search(living, notes, size);

	free(notes);
	return found;
}

/* *bias: what is added to the file's addresses. */
static bool mapping_search(struct living *living, const struct mapping *mapping,
			   const ElfW(Ehdr) * head, uint64_t *bias)
{
	ElfW(Phdr) segments[SEGMENTS_MOST];
	unsigned count = head->e_phnum;

	if (!count || count > SEGMENTS_MOST || head->e_phentsize != sizeof(*segments) ||
	    !process_read(living->process->pid, mapping->start + head->e_phoff, segments,
			  count * sizeof(*segments)))
		return false;
	*bias = mapping->start;
	for (unsigned index = 0; index < count; index++)
		if (segments[index].p_type == PT_LOAD && !segments[index].p_offset)
			*bias = mapping->start - segments[index].p_vaddr;
	for (unsigned index = 0; index < count; index++)
		if (segments[index].p_type == PT_NOTE &&
		    segment_search(living, *bias + segments[index].p_vaddr,
				   (size_t)segments[index].p_memsz))
			return true;
	return false;
}

/* ---- the file ---- */

/* True if the file begins as what is mapped. */
static bool file_is_mapped(const struct living *living, const struct mapping *mapping,
			   const struct image *image)
{
	char memory[BEGINNING];
	size_t size = image->size < BEGINNING ? image->size : BEGINNING;

	return process_read(living->process->pid, mapping->start, memory, size) &&
	       memcmp(memory, image->bytes, size) == 0;
}

enum outcome { FILE_OTHER, FILE_WITHOUT, FILE_WITH };

static enum outcome file_search(struct living *living, const struct mapping *mapping,
				const char *path, uint64_t bias)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum outcome outcome = FILE_OTHER;
	struct stat status;
	struct image image;
	ElfW(Shdr) section;

	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	    image_map(&image, fd, (size_t)status.st_size)) {
		if (file_is_mapped(living, mapping, &image) && image_begin(&image)) {
			outcome = image_section_named(&image, SECTION, &section) ? FILE_WITH
										 : FILE_WITHOUT;
			living->root = bias + section.sh_addr;
		}
		image_unmap(&image);
	}
	if (fd >= 0)
		close(fd);
	return outcome;
}

/* By the path as it is here, or, in a container, as it is there. */
static enum outcome files_search(struct living *living, const struct mapping *mapping,
				 uint64_t bias)
{
	enum outcome outcome = file_search(living, mapping, mapping->path, bias);
	char *path;

	if (outcome != FILE_OTHER ||
	    asprintf(&path, "/proc/%ld/root%s", living->process->pid, mapping->path) < 0)
		return outcome;
	outcome = file_search(living, mapping, path, bias);
	free(path);
	return outcome;
}

/* ---- the mappings ---- */

/* What the search came to. */
struct search {
	struct living *living;
	bool found, denied, replaced, foreign; /* foreign: programs of another word size */
	int error;
};

/* Looks into the beginning of a file that is mapped. */
static void mapping_look(struct search *search, const struct mapping *mapping)
{
	long pid = search->living->process->pid;
	ElfW(Ehdr) head;
	enum outcome outcome;
	uint64_t bias;

	if (search->denied || search->foreign || mapping->end - mapping->start < sizeof(head))
		return;
	if (!process_read(pid, mapping->start, &head, sizeof(head))) {
		search->error = errno;
		search->denied = errno == EPERM || errno == EACCES || errno == ENOSYS;
		return;
	}
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
		return;
	search->foreign = head.e_ident[EI_CLASS] != IMAGE_CLASS;
	if (search->foreign || !mapping_search(search->living, mapping, &head, &bias))
		return;
	outcome = files_search(search->living, mapping, bias);
	search->found = outcome == FILE_WITH;
	search->replaced |= outcome == FILE_OTHER;
}

static void line_look(struct search *search, char *line)
{
	unsigned long long offset;
	struct mapping mapping;
	int length = 0;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%llx-%llx %*s %llx %*s %*u %n", &mapping.start, &mapping.end, &offset,
		   &length) != 3 ||
	    !length || offset || line[length] != '/')
		return;
	mapping.path = line + length;
	mapping_look(search, &mapping);
}

static bool lines_look(struct search *search)
{
	int fd = process_open(search->living->process->pid, "maps");
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "r");
	char *line = NULL;
	size_t room = 0;

	if (!stream)
		return false;
	while (!search->found && getline(&line, &room, stream) > 0)
		line_look(search, line);
	free(line);
	fclose(stream);
	return true;
}

const char *locate_find(struct living *living, bool *denied)
{
	struct search search = {.living = living};

	*denied = false;
	if (!lines_look(&search))
		return errno == ENOENT || errno == ESRCH ? "the process has ended"
							 : strerror(errno);
	*denied = search.denied;
	if (search.found)
		return NULL;
	if (!process_runs(living->process))
		return "the process has ended";
	if (search.denied)
		return strerror(search.error);
	if (search.foreign)
		return IMAGE_CLASS == ELFCLASS64 ? "it is a program of 32 bits; this one has 64"
						 : "it is a program of 64 bits; this one has 32";
	return search.replaced
		       ? "the file of its libbheap-malloc.so is not the one that it began with"
		       : "it does not run on libbheap-malloc.so";
}
