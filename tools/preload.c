/* SPDX-License-Identifier: MIT */
/*
 * preload.c - see preload.h. System calls, for functions of these names may be another preloaded
 * library's.
 */
#include "preload.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAME "LD_PRELOAD="
#define SCRIPTS_MOST 4 /* one that is run by another, as the kernel has it */
/* Bytes of a file that are looked at: the program headers follow the head. */
#define HEAD_SIZE 2048

/* Of this library or program itself: the linker's. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

/* The first bytes of a file, and zeros. */
union head {
	char text[HEAD_SIZE];
	Elf32_Ehdr elf32;
	Elf64_Ehdr elf64;
};

#ifdef SYS_access
long preload_access(const char *path, int mode)
{
	return syscall(SYS_access, path, mode);
}
#else
long preload_access(const char *path, int mode)
{
	return syscall(SYS_faccessat, AT_FDCWD, path, mode);
}
#endif

/* ---- the program's file ---- */

static int file_open(int folder, const char *path)
{
	return (int)syscall(SYS_openat, folder, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
}

bool preload_search(char path[PATH_MAX], const char *name)
{
	const char *folders = preload_setting(environ, "PATH");

	while (folders && *folders) {
		int length = (int)strcspn(folders, ":");

		snprintf(path, PATH_MAX, "%.*s%s%s", length, folders, length ? "/" : "", name);
		if (preload_access(path, X_OK) == 0)
			return true;
		folders += length;
		folders += *folders == ':';
	}
	return false;
}

static int file_search(const char *name)
{
	char path[PATH_MAX];

	return preload_search(path, name) ? file_open(AT_FDCWD, path) : -1;
}

/* Zeros: where a long has 32 bits, an offset takes two words, and before them perhaps none. */
static bool head_read_from(union head *head, int fd)
{
	return fd >= 0 && syscall(SYS_pread64, fd, head, sizeof(*head) - 1, 0L, 0L, 0L) > 0;
}

static bool head_read(union head *head, const struct preload_program *program)
{
	bool searched = program->searched && !strchr(program->path, '/'), read;
	int fd;

	memset(head, 0, sizeof(*head));
	if (!*program->path)
		return head_read_from(head, program->folder);
	fd = searched ? file_search(program->path) : file_open(program->folder, program->path);
	read = head_read_from(head, fd);
	if (fd >= 0)
		close(fd);
	return read;
}

/* ---- what it is ---- */

/* A dynamic linker is named by a program header, whose first word is its type. */
static bool has_linker(const union head *head, uint64_t at, size_t size, unsigned count)
{
	uint32_t type;

	for (; count-- && at <= sizeof(*head) - sizeof(type); at += size) {
		memcpy(&type, head->text + at, sizeof(type));
		if (type == PT_INTERP)
			return true;
	}
	return false;
}

/* The machine lies at one place in both classes. */
static bool elf_is_foreign(const union head *head)
{
	const unsigned char *own = __ehdr_start.e_ident;

	if (head->text[EI_CLASS] == own[EI_CLASS] &&
	    head->elf32.e_machine == __ehdr_start.e_machine)
		return false;
	if (head->text[EI_CLASS] == ELFCLASS32)
		return has_linker(head, head->elf32.e_phoff, head->elf32.e_phentsize,
				  head->elf32.e_phnum);
	return has_linker(head, head->elf64.e_phoff, head->elf64.e_phentsize, head->elf64.e_phnum);
}

/* The path that follows "#!"; "": it is no script. */
static void script_program(char path[HEAD_SIZE], const union head *head)
{
	const char *from = head->text + 2;

	path[0] = '\0';
	if (memcmp(head->text, "#!", 2) != 0)
		return;
	from += strspn(from, " \t");
	snprintf(path, HEAD_SIZE, "%.*s", (int)strcspn(from, " \t\n"), from);
}

static bool is_foreign(const struct preload_program *program)
{
	struct preload_program next = *program;
	char path[HEAD_SIZE];
	union head head;

	for (unsigned depth = 0; depth <= SCRIPTS_MOST && head_read(&head, &next); depth++) {
		if (memcmp(head.text, ELFMAG, SELFMAG) == 0)
			return elf_is_foreign(&head);
		script_program(path, &head);
		if (!*path)
			return false;
		next = (struct preload_program){AT_FDCWD, path, false};
	}
	return false;
}

bool preload_is_foreign(const struct preload_program *program)
{
	int saved = errno;
	bool foreign = is_foreign(program);

	errno = saved;
	return foreign;
}

/* ---- its environment ---- */

const char *preload_setting(char *const *envp, const char *name)
{
	size_t length = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, length) == 0 && (*envp)[length] == '=')
			return *envp + length + 1;
	return NULL;
}

static bool is_separator(char letter)
{
	return letter == ':' || letter == ' ' || letter == '\0';
}

/* Where a list has the library, or NULL. */
static const char *entry_of(const char *list, const char *library)
{
	const char *found = list;

	while ((found = strstr(found, library))) {
		if ((found == list || is_separator(found[-1])) &&
		    is_separator(found[strlen(library)]))
			return found;
		found++;
	}
	return NULL;
}

/* What is left of a list without an entry: "" for nothing. False if there is no room. */
static bool rest_write(struct preload_room *room, const char *list, const char *entry,
		       size_t length)
{
	const char *behind = entry + length;
	int before = (int)(entry - list), written;

	behind += *behind != '\0';
	if (!*behind && before)
		before--;
	if (!before && !*behind) {
		room->text[0] = '\0';
		return true;
	}
	written = snprintf(room->text, sizeof(room->text), NAME "%.*s%s", before, list, behind);
	return written > 0 && (size_t)written < sizeof(room->text);
}

char *const *preload_without(char *const *envp, const char *library, struct preload_room *room)
{
	const char *list = preload_setting(envp, "LD_PRELOAD");
	const char *entry = list ? entry_of(list, library) : NULL;
	size_t count = 0;

	if (!entry || !rest_write(room, list, entry, strlen(library)))
		return envp;
	for (char *const *setting = envp; *setting; setting++) {
		bool is_list = *setting + strlen(NAME) == list;

		if (is_list && !*room->text)
			continue;
		if (count == PRELOAD_SETTINGS)
			return envp;
		room->settings[count++] = is_list ? room->text : *setting;
	}
	room->settings[count] = NULL;
	return room->settings;
}
