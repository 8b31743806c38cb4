/* SPDX-License-Identifier: MIT */
/*
 * loaded.c - see loaded.h. Lines for each module: "o ID BIAS START END" when an address in it is
 * first met, "i ID" with its build ID and "p ID" with a part of its path, both in hexadecimal
 * digits; of one without a build ID "s ID" with inode, size and time of the file. "c 0" ends them
 * all. A module that has a return address on the stack stays mapped meanwhile, so that its head and
 * name may be read.
 */
#include "loaded.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record.h"

#define EXPORT __attribute__((visibility("default")))

#define MODULES 4096 /* of more the rest is not known */
#define PATH_SIZE 4096
#define ID_SIZE 32
#define PART 24 /* bytes that a line has of a path */

struct module {
	uintptr_t start, end;
};

/* Under the lock. */
static struct module modules[MODULES];
static size_t module_count;
static uint32_t last_number;
static char path[2 * PATH_SIZE];

static int unmapped; /* atomic */

/* ---- one module ---- */

/* The place of the build ID in a module's notes, or NULL. */
static const unsigned char *notes_search(const char *notes, size_t size, size_t *length)
{
	while (size >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)notes;
		size_t name = ((size_t)note->n_namesz + 3) & ~(size_t)3;
		size_t whole = sizeof(*note) + name + (((size_t)note->n_descsz + 3) & ~(size_t)3);

		if (whole > size)
			break;
		*length = note->n_descsz < ID_SIZE ? note->n_descsz : ID_SIZE;
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
		    memcmp(note + 1, "GNU", 4) == 0)
			return (const unsigned char *)(note + 1) + name;
		notes += whole;
		size -= whole;
	}
	return NULL;
}

static const unsigned char *build_id_find(const struct dl_find_object *object, size_t *length)
{
	const ElfW(Ehdr) *head = object->dlfo_map_start;
	const ElfW(Phdr) *segments = (const void *)((const char *)head + head->e_phoff);
	const unsigned char *found = NULL;

	if (memcmp(head->e_ident, ELFMAG, SELFMAG) != 0)
		return NULL;
	for (size_t index = 0; index < head->e_phnum && !found; index++)
		if (segments[index].p_type == PT_NOTE)
			found = notes_search((const char *)(object->dlfo_link_map->l_addr +
							    segments[index].p_vaddr),
					     segments[index].p_memsz, length);
	return found;
}

/* Not by getcwd(3), which allocates where the folder lies outside of the process's root. */
static bool folder_find(void)
{
	return syscall(SYS_getcwd, path, PATH_SIZE) > 0 && path[0] == '/';
}

/* The program itself has no name here. */
static void path_find(const char *name)
{
	const char *given = (const char *)getauxval(AT_EXECFN);
	ssize_t length = -1;
	size_t folder = 0;

	if (!*name)
		length = readlink("/proc/self/exe", path, PATH_SIZE - 1);
	if (length > 0) {
		path[length] = '\0';
		return;
	}
	if (!*name && given)
		name = given;
	if (*name != '/' && folder_find()) {
		folder = strlen(path);
		path[folder++] = '/';
	}
	length = (ssize_t)strnlen(name, PATH_SIZE - 1);
	memcpy(path + folder, name, (size_t)length);
	path[folder + (size_t)length] = '\0';
}

/* ---- lines ---- */

static void bytes_write(char letter, uint32_t number, const unsigned char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * ID_SIZE + 1];

	for (size_t index = 0; index < length; index++) {
		text[2 * index] = digits[bytes[index] >> 4];
		text[2 * index + 1] = digits[bytes[index] & 15];
	}
	text[2 * length] = '\0';
	record_line(0, "%c %u %s\n", letter, number, text);
}

/* By which a file without a build ID is known again. */
static void file_write(uint32_t number)
{
	struct stat status;

	if (stat(path, &status) == 0)
		record_line(0, "s %u %jx %jx %jx\n", number, (uintmax_t)status.st_ino,
			    (uintmax_t)status.st_size, (uintmax_t)status.st_mtime);
}

static void module_write(const struct dl_find_object *object)
{
	size_t length, left;
	const unsigned char *id = build_id_find(object, &length);
	uint32_t number = ++last_number;

	record_line(0, "o %u %jx %jx %jx\n", number, (uintmax_t)object->dlfo_link_map->l_addr,
		    (uintmax_t)(uintptr_t)object->dlfo_map_start,
		    (uintmax_t)(uintptr_t)object->dlfo_map_end);
	path_find(object->dlfo_link_map->l_name);
	if (id)
		bytes_write('i', number, id, length);
	else
		file_write(number);
	left = strlen(path);
	for (const char *part = path; left; left -= length, part += length) {
		length = left < PART ? left : PART;
		bytes_write('p', number, (const unsigned char *)part, length);
	}
}

static bool is_known(uintptr_t address)
{
	for (size_t index = 0; index < module_count; index++)
		if (address - modules[index].start < modules[index].end - modules[index].start)
			return true;
	return false;
}

/* The call lies before the address. */
void loaded_tell(uintptr_t return_address)
{
	struct dl_find_object object;
	uintptr_t address = return_address - 1;

	if (is_known(address) || module_count == MODULES ||
	    _dl_find_object((void *)address, &object))
		return;
	modules[module_count++] =
		(struct module){(uintptr_t)object.dlfo_map_start, (uintptr_t)object.dlfo_map_end};
	module_write(&object);
}

bool loaded_forget(void)
{
	if (!__atomic_load_n(&unmapped, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&unmapped, 0, __ATOMIC_RELAXED);
	module_count = 0;
	record_line(0, "c 0\n");
	return true;
}

/* ---- what is unmapped ---- */

typedef int dlclose_fn(void *handle);

/* The C library's own; NULL: there is none yet. */
static dlclose_fn *dlclose_next(void)
{
	static void *next; /* atomic */
	void *found = __atomic_load_n(&next, __ATOMIC_RELAXED);

	if (!found) {
		found = dlsym(RTLD_NEXT, "dlclose");
		__atomic_store_n(&next, found, __ATOMIC_RELAXED);
	}
	return (dlclose_fn *)(uintptr_t)found;
}

/* A module that something else needs stays. */
EXPORT int dlclose(void *handle)
{
	struct dl_find_object object;
	dlclose_fn *next = dlclose_next();
	void *inside = ((struct link_map *)handle)->l_ld;
	int result = next ? next(handle) : -1;

	if (_dl_find_object(inside, &object))
		__atomic_store_n(&unmapped, 1, __ATOMIC_RELAXED);
	return result;
}
