/* SPDX-License-Identifier: MIT */
/*
 * loaded.c - see loaded.h. Lines for each module: "o ID BIAS START END" when it is first seen, "i
 * ID" with its build ID and "p ID" with a part of its path, both in hexadecimal digits; "c ID" when
 * it is gone. Keeps: two threads never look at the same time, and the second does not wait, for the
 * first may wait for what it holds.
 */
#include "loaded.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "record.h"

#define EXPORT __attribute__((visibility("default")))

#define MODULES 2048 /* of more the rest is not known */
#define PATH_SIZE 4096
#define ID_SIZE 32
#define PART 24 /* bytes that a line has of a path */

struct module {
	uintptr_t bias, start, end;
	uint64_t identity;
	uint32_t number;
	bool seen;
};

static pthread_mutex_t looking = PTHREAD_MUTEX_INITIALIZER;
static int changed; /* atomic */

/* Of the thread that looks. */
static struct module modules[MODULES];
static size_t module_count;
static uint32_t last_number;
static unsigned long long counted, taken_off; /* as the loader counts them */
static bool begun;
static char path[2 * PATH_SIZE];

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

static const unsigned char *build_id_find(const struct dl_phdr_info *info, size_t *length)
{
	const unsigned char *found = NULL;

	for (size_t index = 0; index < info->dlpi_phnum && !found; index++) {
		const ElfW(Phdr) *head = &info->dlpi_phdr[index];

		if (head->p_type == PT_NOTE)
			found = notes_search((const char *)(info->dlpi_addr + head->p_vaddr),
					     head->p_memsz, length);
	}
	return found;
}

static void extent_find(struct module *module, const struct dl_phdr_info *info)
{
	module->bias = info->dlpi_addr;
	module->start = UINTPTR_MAX;
	for (size_t index = 0; index < info->dlpi_phnum; index++) {
		const ElfW(Phdr) *head = &info->dlpi_phdr[index];
		uintptr_t start = info->dlpi_addr + head->p_vaddr;

		if (head->p_type != PT_LOAD)
			continue;
		module->start = start < module->start ? start : module->start;
		module->end =
			start + head->p_memsz > module->end ? start + head->p_memsz : module->end;
	}
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
	if (*name != '/' && getcwd(path, PATH_SIZE)) {
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

static void module_write(const struct module *module, const struct dl_phdr_info *info)
{
	size_t length, left;
	const unsigned char *id = build_id_find(info, &length);

	path_find(info->dlpi_name);
	record_lock();
	record_line(0, "o %u %jx %jx %jx\n", module->number, (uintmax_t)module->bias,
		    (uintmax_t)module->start, (uintmax_t)module->end);
	if (id)
		bytes_write('i', module->number, id, length);
	left = strlen(path);
	for (const char *part = path; left; left -= length, part += length) {
		length = left < PART ? left : PART;
		bytes_write('p', module->number, (const unsigned char *)part, length);
	}
	record_unlock();
}

/* ---- looking ---- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
	for (size_t index = 0; index < size; index++)
		hash = (hash ^ ((const unsigned char *)bytes)[index]) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t identity_of(const struct module *module, const struct dl_phdr_info *info)
{
	size_t length = 0;
	const unsigned char *id = build_id_find(info, &length);
	uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), &module->bias, sizeof(module->bias));

	hash = mix(hash, &module->end, sizeof(module->end));
	hash = mix(hash, info->dlpi_name, strlen(info->dlpi_name));
	return id ? mix(hash, id, length) : hash;
}

static struct module *module_known(const struct module *wanted)
{
	for (size_t index = 0; index < module_count; index++)
		if (modules[index].identity == wanted->identity)
			return &modules[index];
	return NULL;
}

static int module_take(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct module module = {.seen = true}, *known;

	(void)size;
	(void)arg;
	extent_find(&module, info);
	if (module.start >= module.end)
		return 0;
	module.identity = identity_of(&module, info);
	known = module_known(&module);
	if (known) {
		known->seen = true;
	} else if (module_count < MODULES) {
		module.number = ++last_number;
		modules[module_count++] = module;
		module_write(&module, info);
	}
	return 0;
}

/* Those that are gone; true if there are any. */
static bool modules_drop(void)
{
	size_t kept = 0, before = module_count;

	record_lock();
	for (size_t index = 0; index < before; index++) {
		if (modules[index].seen)
			modules[kept++] = modules[index];
		else
			record_line(0, "c %u\n", modules[index].number);
	}
	record_unlock();
	module_count = kept;
	return kept < before;
}

/* The loader counts what it maps and unmaps: true if that changed. */
static int counters_take(struct dl_phdr_info *info, size_t size, void *arg)
{
	bool *is_new = arg;

	(void)size;
	*is_new = !begun || info->dlpi_adds != counted || info->dlpi_subs != taken_off;
	counted = info->dlpi_adds;
	taken_off = info->dlpi_subs;
	begun = true;
	return 1;
}

bool loaded_look(void)
{
	bool is_new = false, dropped = false;

	if (pthread_mutex_trylock(&looking))
		return false;
	__atomic_store_n(&changed, 0, __ATOMIC_RELAXED);
	dl_iterate_phdr(counters_take, &is_new);
	if (is_new) {
		for (size_t index = 0; index < module_count; index++)
			modules[index].seen = false;
		dl_iterate_phdr(module_take, NULL);
		dropped = modules_drop();
	}
	pthread_mutex_unlock(&looking);
	return dropped;
}

bool loaded_changed(void)
{
	return __atomic_load_n(&changed, __ATOMIC_RELAXED);
}

void loaded_stop(void)
{
	pthread_mutex_lock(&looking);
}

void loaded_continue(void)
{
	pthread_mutex_unlock(&looking);
}

/* ---- what is unmapped ---- */

typedef int dlclose_fn(void *handle);

/* Before glibc 2.34 in a library of its own, which a program that calls dlclose() has. */
#pragma weak dlsym

EXPORT int dlclose(void *handle)
{
	static dlclose_fn *next;
	int result;

	if (!next && dlsym)
		next = (dlclose_fn *)(uintptr_t)dlsym(RTLD_NEXT, "dlclose");
	if (!next)
		return -1;
	result = next(handle);
	__atomic_store_n(&changed, 1, __ATOMIC_RELAXED);
	return result;
}
