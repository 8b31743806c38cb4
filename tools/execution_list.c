/* SPDX-License-Identifier: MIT */
/*
 * execution_list.c - the functions of execution.h that have the arguments of the program as a list
 * of their own: each makes an array of it, for one that has an array. Keeps: nothing is allocated
 * but on the stack, and for long lists in a mapping.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* As in execution.c. */
#if __GLIBC_PREREQ(2, 34)
#define EXPORT __attribute__((visibility("default")))
/* Arguments that need no memory but the stack's. */
#define ARGUMENTS_FEW 64

/* The arguments as an array. */
struct list {
	char *few[ARGUMENTS_FEW];
	char **all;
	size_t size; /* of a mapping, or 0 */
};

/* With the NULL that ends them. */
static size_t arguments_count(const char *first, va_list *arguments)
{
	size_t count = 1;

	for (; first; count++)
		first = va_arg(*arguments, const char *);
	return count;
}

/* False with errno. */
static bool list_room(struct list *list, size_t count)
{
	list->all = list->few;
	list->size = 0;
	if (count <= ARGUMENTS_FEW)
		return true;
	list->size = count * sizeof(char *);
	list->all =
		mmap(NULL, list->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return list->all != MAP_FAILED;
}

/* There is room for all. */
static void list_fill(struct list *list, const char *first, va_list *arguments)
{
	size_t count = 0;

	for (; first; first = va_arg(*arguments, const char *))
		list->all[count++] = (char *)(uintptr_t)first;
	list->all[count] = NULL;
}

/* After a call that failed. */
static int list_release(const struct list *list, int result)
{
	int saved = errno;

	if (list->size)
		munmap(list->all, list->size);
	errno = saved;
	return result;
}

/* Reads them up to the NULL. False with errno. */
static bool list_make(struct list *list, const char *first, va_list *arguments)
{
	va_list counted;
	size_t count;

	va_copy(counted, *arguments);
	count = arguments_count(first, &counted);
	va_end(counted);
	if (!list_room(list, count))
		return false;
	list_fill(list, first, arguments);
	return true;
}

/* ---- the functions ---- */

EXPORT int execl(const char *path, const char *first, ...)
{
	va_list arguments;
	struct list list;
	bool made;

	va_start(arguments, first);
	made = list_make(&list, first, &arguments);
	va_end(arguments);
	return made ? list_release(&list, execv(path, list.all)) : -1;
}

EXPORT int execlp(const char *name, const char *first, ...)
{
	va_list arguments;
	struct list list;
	bool made;

	va_start(arguments, first);
	made = list_make(&list, first, &arguments);
	va_end(arguments);
	return made ? list_release(&list, execvp(name, list.all)) : -1;
}

/* The environment follows the NULL. */
EXPORT int execle(const char *path, const char *first, ...)
{
	char *const *envp = NULL;
	va_list arguments;
	struct list list;
	bool made;

	va_start(arguments, first);
	made = list_make(&list, first, &arguments);
	if (made)
		envp = va_arg(arguments, char *const *);
	va_end(arguments);
	return made ? list_release(&list, execve(path, list.all, envp)) : -1;
}
#endif
