/* SPDX-License-Identifier: MIT */
/*
 * setting.c - see setting.h. Before the C library's own constructor its environ is NULL; the kernel
 * has the same text.
 */
#include "setting.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

/* More than the kernel lets arguments and environment have together: address space, no memory. */
#define TEXT_SIZE ((size_t)8 << 20)

static char *text; /* of /proc/self/environ: strings "name=value", and a NUL more */

/* The last byte is never written to. */
static void text_read(char *into, int fd)
{
	size_t length = 0;
	ssize_t more;

	do {
		more = read(fd, into + length, TEXT_SIZE - 1 - length);
		length += more > 0 ? (size_t)more : 0;
	} while (more > 0);
}

static void text_load(void)
{
	int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
	char *pages;

	if (fd < 0)
		return;
	pages = mmap(NULL, TEXT_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pages != MAP_FAILED) {
		text = pages;
		text_read(text, fd);
	}
	close(fd);
}

static const char *text_find(const char *name)
{
	size_t length = strlen(name);

	for (const char *at = text; at && *at; at += strlen(at) + 1)
		if (strncmp(at, name, length) == 0 && at[length] == '=')
			return at + length + 1;
	return NULL;
}

const char *setting_find(const char *name)
{
	if (environ || getauxval(AT_SECURE))
		return secure_getenv(name);
	if (!text)
		text_load();
	return text_find(name);
}

bool setting_is_on(const char *name, bool otherwise)
{
	const char *value = setting_find(name);

	return value && *value ? strcmp(value, "0") != 0 : otherwise;
}

void setting_end(void)
{
	if (text)
		munmap(text, TEXT_SIZE);
	text = NULL;
}
