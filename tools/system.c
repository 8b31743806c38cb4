/* SPDX-License-Identifier: MIT */
/*
 * system.c - the C library's names of the system calls that libbheap-malloc makes, for this library
 * alone: another that is preloaded may have functions of these names that allocate, which inside
 * malloc() would never end. Keeps: no cancellation points, as malloc() is none.
 */
#undef _FORTIFY_SOURCE /* its headers define some of these */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Where a long has 32 bits an offset is told in units of 4 KiB. */
#ifdef SYS_mmap2
#define MAP_CALL SYS_mmap2
#define MAP_UNIT 4096
#else
#define MAP_CALL SYS_mmap
#define MAP_UNIT 1
#endif

#ifdef __s390x__
/* All arguments of mmap() in memory. */
void *mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset)
{
	const unsigned long arguments[] = {(unsigned long)start,      size,
					   (unsigned long)protection, (unsigned long)flags,
					   (unsigned long)fd,         (unsigned long)offset};

	return (void *)syscall(SYS_mmap, arguments);
}
#else
void *mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset)
{
	return (void *)syscall(MAP_CALL, start, size, protection, flags, fd,
			       (long)(offset / MAP_UNIT));
}
#endif

int munmap(void *start, size_t size)
{
	return (int)syscall(SYS_munmap, start, size);
}

int mprotect(void *start, size_t size, int protection)
{
	return (int)syscall(SYS_mprotect, start, size, protection);
}

int madvise(void *start, size_t size, int advice)
{
	return (int)syscall(SYS_madvise, start, size, advice);
}

/* Elsewhere the system's structure is another one than the C library's. */
#if defined(__LP64__) && defined(SYS_fstat) && !defined(__mips__)
int fstat(int fd, struct stat *status)
{
	return (int)syscall(SYS_fstat, fd, status);
}
#endif

int open(const char *path, int flags, ...)
{
	va_list arguments;
	mode_t mode = 0;

	va_start(arguments, flags);
	if (flags & O_CREAT)
		mode = va_arg(arguments, mode_t);
	va_end(arguments);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	return syscall(SYS_read, fd, buffer, size);
}

ssize_t write(int fd, const void *buffer, size_t size)
{
	return syscall(SYS_write, fd, buffer, size);
}

ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
	return syscall(SYS_getrandom, buffer, size, flags);
}

pid_t getpid(void)
{
	return (pid_t)syscall(SYS_getpid);
}

char *secure_getenv(const char *name)
{
	size_t length = strlen(name);

	if (getauxval(AT_SECURE))
		return NULL;
	for (char **at = environ; at && *at; at++)
		if (**at == *name && strncmp(*at, name, length) == 0 && (*at)[length] == '=')
			return *at + length + 1;
	return NULL;
}
