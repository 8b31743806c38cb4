/* SPDX-License-Identifier: MIT */
/*
 * pid_namespace.c - see pid_namespace.h. Called before the program's constructors, where functions
 * that other preloaded libraries replace are avoided: hence system calls.
 */
#include "pid_namespace.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINK_BEGIN "pid:["

/* Of Linux 6.11. */
#ifndef PIDFD_GET_PID_NAMESPACE
#define PIDFD_GET_PID_NAMESPACE _IO(0xff, 5)
#endif

uint32_t pid_namespace_of(const char *folder)
{
	char path[64], text[64];
	long length;

	snprintf(path, sizeof(path), "/proc/%s/ns/pid", folder);
	length = syscall(SYS_readlinkat, AT_FDCWD, path, text, sizeof(text) - 1);
	text[length > 0 ? length : 0] = '\0';
	if (strncmp(text, LINK_BEGIN, strlen(LINK_BEGIN)) != 0)
		return 0;
	return (uint32_t)strtoul(text + strlen(LINK_BEGIN), NULL, 10);
}

/* "NSpid:" has its numbers, that of the innermost namespace last. */
int32_t pid_namespace_number(const char *folder)
{
	char path[64], text[4096], *line, *last;
	long fd, length;

	snprintf(path, sizeof(path), "/proc/%s/status", folder);
	fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = syscall(SYS_read, fd, text, sizeof(text) - 1);
	syscall(SYS_close, fd);
	text[length > 0 ? length : 0] = '\0';
	line = strstr(text, "\nNSpid:");
	if (!line)
		return 0;
	line[1 + strcspn(line + 1, "\n")] = '\0';
	last = strrchr(line, '\t');
	return last ? (int32_t)strtol(last, NULL, 10) : 0;
}

static uint32_t inode_of(int fd)
{
	struct stat status;
	bool known = fd >= 0 && fstat(fd, &status) == 0;

	return known ? (uint32_t)status.st_ino : 0;
}

/* Where /proc is not mounted. */
static uint32_t by_descriptor(void)
{
	int process = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int fd = process < 0 ? -1 : ioctl(process, PIDFD_GET_PID_NAMESPACE, 0);
	uint32_t inode = inode_of(fd);

	if (fd >= 0)
		close(fd);
	if (process >= 0)
		close(process);
	return inode;
}

uint32_t pid_namespace_own(void)
{
	uint32_t inode = pid_namespace_of("self");

	return inode ? inode : by_descriptor();
}
