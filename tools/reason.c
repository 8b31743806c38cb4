/* SPDX-License-Identifier: MIT */
/*
 * reason.c - see reason.h. A file may have anything in it.
 */
#include "reason.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image.h"
#include "preload.h"

#define LEFT_OUT "what it executes is left out"
#define SCRIPTS_MOST 4 /* one that is run by another, as the kernel has it */

/* What a file may define, and what that means; the first that is found counts. */
static const struct mark {
	const char *symbol;
	const char *reason;
} marks[] = {
	{"__asan_init", "it is built with AddressSanitizer, which has a malloc() of its own"},
	{"__hwasan_init", "it is built with HWAddressSanitizer, which has a malloc() of its own"},
	{"__tsan_init", "it is built with ThreadSanitizer, which has a malloc() of its own"},
	{"__msan_init", "it is built with MemorySanitizer, which has a malloc() of its own"},
	{"__lsan_init", "it is built with LeakSanitizer, which has a malloc() of its own"},
	{"malloc", "it has a malloc() of its own"},
};
#define MARKS (sizeof(marks) / sizeof(*marks))

/* The same, in a library that it needs. */
static const struct mark libraries[] = {
	{"libasan.so", "it is built with AddressSanitizer, which has a malloc() of its own"},
	{"libhwasan.so", "it is built with HWAddressSanitizer, which has a malloc() of its own"},
	{"libtsan.so", "it is built with ThreadSanitizer, which has a malloc() of its own"},
	{"liblsan.so", "it is built with LeakSanitizer, which has a malloc() of its own"},
	{"libclang_rt.", "it is built with a sanitizer of clang, which has a malloc() of its own"},
};
#define LIBRARIES (sizeof(libraries) / sizeof(*libraries))

/* ---- sections ---- */

/* The first section of a type, and the strings that go with it. */
static bool section_find(const struct image *image, unsigned type, ElfW(Shdr) * section,
			 ElfW(Shdr) * strings)
{
	for (unsigned index = 0; image_section(image, index, section); index++)
		if (section->sh_type == type)
			return image_section(image, section->sh_link, strings);
	return false;
}

/* ---- what it tells ---- */

static bool is_dynamic(const struct image *image)
{
	ElfW(Phdr) segment;

	for (unsigned index = 0; index < image->head.e_phnum; index++)
		if (image_copy(image, &segment, sizeof(segment),
			       image->head.e_phoff + (uint64_t)index * sizeof(segment)) &&
		    segment.p_type == PT_INTERP)
			return true;
	return false;
}

static size_t mark_of(const char *name)
{
	size_t mark = 0;

	while (mark < MARKS && strcmp(marks[mark].symbol, name) != 0)
		mark++;
	return mark;
}

static const char *symbols_tell(const struct image *image)
{
	ElfW(Shdr) section, strings;
	size_t least = MARKS;
	ElfW(Sym) symbol;

	if (!section_find(image, SHT_DYNSYM, &section, &strings))
		return NULL;
	for (uint64_t at = 0; at < section.sh_size; at += sizeof(symbol)) {
		size_t mark;

		if (!image_copy(image, &symbol, sizeof(symbol), section.sh_offset + at))
			break;
		mark = symbol.st_shndx == SHN_UNDEF
			       ? MARKS
			       : mark_of(image_string(image, &strings, symbol.st_name));
		least = mark < least ? mark : least;
	}
	return least < MARKS ? marks[least].reason : NULL;
}

/* What the first of the libraries that it needs tells, of those that tell anything. */
static const char *needed_tells(const struct image *image, const char *(*tell)(const char *name))
{
	ElfW(Shdr) section, strings;
	const char *told = NULL;
	ElfW(Dyn) entry;

	if (!section_find(image, SHT_DYNAMIC, &section, &strings))
		return NULL;
	for (uint64_t at = 0; at < section.sh_size && !told; at += sizeof(entry)) {
		if (!image_copy(image, &entry, sizeof(entry), section.sh_offset + at))
			break;
		if (entry.d_tag == DT_NEEDED)
			told = tell(image_string(image, &strings, entry.d_un.d_val));
	}
	return told;
}

static const char *library_tells(const char *name)
{
	for (size_t index = 0; index < LIBRARIES; index++)
		if (strncmp(name, libraries[index].symbol, strlen(libraries[index].symbol)) == 0)
			return libraries[index].reason;
	return NULL;
}

/* foreign: nothing is preloaded into what it executes, either. */
static const char *class_tells(bool foreign)
{
	if (IMAGE_CLASS == ELFCLASS32)
		return foreign ? "it is a program of 64 bits; the library has 32 (" LEFT_OUT ")"
			       : "it is a program of 64 bits; the library has 32";
	return foreign ? "it is a program of 32 bits; the library has 64 (" LEFT_OUT ")"
		       : "it is a program of 32 bits; the library has 64";
}

static const char *elf_tells(struct image *image, bool foreign)
{
	const char *reason;

	if (image->bytes[EI_CLASS] != IMAGE_CLASS)
		return class_tells(foreign);
	if (foreign)
		return "it is a program for another machine (" LEFT_OUT ")";
	if (!image_begin(image))
		return NULL;
	if (!is_dynamic(image))
		return "it is statically linked, so that no library can be preloaded";
	reason = needed_tells(image, library_tells);
	return reason ? reason : symbols_tell(image);
}

/* Who executes a program, in place of how many scripts. */
struct caller {
	uid_t user;
	gid_t group;
	int depth;
	bool foreign; /* preload.h */
};

static const char *file_tells(const char *path, struct caller caller);

/* The program that "#!" names. */
static const char *script_tells(const struct image *image, struct caller caller)
{
	char line[256] = "", path[256];

	memcpy(line, image->bytes, image->size < sizeof(line) - 1 ? image->size : sizeof(line) - 1);
	if (caller.depth++ == SCRIPTS_MOST || sscanf(line, "#! %255s", path) != 1)
		return NULL;
	return file_tells(path, caller);
}

static const char *content_tells(int fd, size_t size, struct caller caller)
{
	struct image image;
	const char *reason = NULL;

	if (!image_map(&image, fd, size))
		return NULL;
	if (memcmp(image.bytes, ELFMAG, SELFMAG) == 0)
		reason = elf_tells(&image, caller.foreign);
	else if (memcmp(image.bytes, "#!", 2) == 0)
		reason = script_tells(&image, caller);
	image_unmap(&image);
	return reason;
}

static bool gains_privileges(const char *path, const struct stat *status, struct caller caller)
{
	return (status->st_mode & S_ISUID && status->st_uid != caller.user) ||
	       (status->st_mode & S_ISGID && status->st_gid != caller.group) ||
	       (caller.user != 0 && getxattr(path, "security.capability", NULL, 0) > 0);
}

static const char *file_tells(const char *path, struct caller caller)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	const char *reason = NULL;

	caller.foreign = preload_is_foreign(&(struct preload_program){AT_FDCWD, path, false});
	if (stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
	    gains_privileges(path, &status, caller))
		reason = "it is set-user-ID, or gains privileges otherwise: nothing is preloaded";
	else if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		reason = content_tells(fd, (size_t)status.st_size, caller);
	if (fd >= 0)
		close(fd);
	return reason;
}

const char *reason_find_for(const char *program, uid_t user, gid_t group)
{
	struct caller caller = {user, group, 0, false};
	char path[PATH_MAX];

	if (strchr(program, '/'))
		return file_tells(program, caller);
	return preload_search(path, program) ? file_tells(path, caller) : NULL;
}

const char *reason_find(const char *program)
{
	return reason_find_for(program, getuid(), getgid());
}

/* ---- allocators ---- */

const char *reason_allocator(const char *names)
{
	static const char *const allocators[] = {"libjemalloc.", "libmimalloc", "libtcmalloc"};

	for (size_t index = 0; index < sizeof(allocators) / sizeof(*allocators); index++)
		if (strstr(names, allocators[index]))
			return allocators[index];
	return NULL;
}

static bool file_needs_allocator(int fd)
{
	struct stat status;
	struct image image;
	bool needs;

	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) ||
	    !image_map(&image, fd, (size_t)status.st_size))
		return false;
	needs = memcmp(image.bytes, ELFMAG, SELFMAG) == 0 && image.bytes[EI_CLASS] == IMAGE_CLASS &&
		image_begin(&image) && needed_tells(&image, reason_allocator);
	image_unmap(&image);
	return needs;
}

bool reason_needs_allocator(const char *program)
{
	char path[PATH_MAX];
	bool needs;
	int fd;

	if (!strchr(program, '/'))
		program = preload_search(path, program) ? path : "";
	fd = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	needs = fd >= 0 && file_needs_allocator(fd);
	if (fd >= 0)
		close(fd);
	return needs;
}
