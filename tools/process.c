/* SPDX-License-Identifier: MIT */
/*
 * process.c - see process.h.
 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "pid_namespace.h"

#define NAME_KEPT 15 /* bytes of a program's name that the kernel keeps */

bool process_is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789")];
}

int process_open(long pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* The text of a small file; false with errno. */
static bool file_read(long pid, const char *name, char *text, size_t size)
{
	int fd = process_open(pid, name);
	ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	text[length > 0 ? length : 0] = '\0';
	return length > 0;
}

/* States of /proc/PID/stat, and one more: only the first thread has ended. */
enum { STATE_NONE = 'X', STATE_ENDED = 'Z', STATE_HEADLESS = 'H' };

/* Of /proc/PID/stat: the name may have blanks and parentheses. */
static char status_read(struct process *process)
{
	char text[1024], state = STATE_NONE, *name, *end;
	unsigned threads;

	if (!file_read(process->pid, "stat", text, sizeof(text)))
		return STATE_NONE;
	name = strchr(text, '(');
	end = strrchr(text, ')');
	if (!name || !end)
		return STATE_NONE;
	snprintf(process->program, sizeof(process->program), "%.*s", (int)(end - name - 1),
		 name + 1);
	/* The third field, the 20th and the 22nd. */
	if (sscanf(end + 1,
		   " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %u %*s "
		   "%llu",
		   &state, &threads, &process->begun) != 3)
		return STATE_NONE;
	return state == STATE_ENDED && threads > 1 ? STATE_HEADLESS : state;
}

/* Where processes of others are hidden, one that there is has no folder either. */
static const char *absence_reason(long pid)
{
	if (access("/proc/self/stat", R_OK))
		return "/proc is not mounted, and nothing else shows processes";
	if (kill((pid_t)pid, 0) == 0 || errno == EPERM)
		return "/proc does not show this process";
	return strerror(ESRCH);
}

const char *process_find(struct process *process, const char *number)
{
	char state;

	errno = 0;
	*process = (struct process){.pid = strtol(number, NULL, 10)};
	if (errno || process->pid <= 0 || process->pid != (pid_t)process->pid)
		return strerror(ESRCH);
	state = status_read(process);
	switch (state) {
	case STATE_NONE: return absence_reason(process->pid);
	case STATE_ENDED: return "the process has ended; its parent has not waited for it yet";
	case STATE_HEADLESS:
		return "its first thread has ended; the kernel no longer shows its memory";
	default: return NULL;
	}
}

bool process_is_named(const struct process *process, const char *program)
{
	return strncmp(process->program, program, NAME_KEPT) == 0;
}

bool process_runs(const struct process *process)
{
	struct process now = {.pid = process->pid};
	char state = status_read(&now);

	return state != STATE_NONE && state != STATE_ENDED && now.begun == process->begun;
}

bool process_number_runs(long pid)
{
	struct process now = {.pid = pid};

	if (pid <= 0 || (kill((pid_t)pid, 0) && errno == ESRCH))
		return false;
	return status_read(&now) != STATE_ENDED;
}

bool process_read(long pid, uint64_t address, void *into, size_t size)
{
	struct iovec here = {into, size}, there = {(void *)(uintptr_t)address, size};
	ssize_t length = process_vm_readv((pid_t)pid, &here, 1, &there, 1, 0);

	if (length >= 0 && (size_t)length != size)
		errno = EFAULT;
	return length == (ssize_t)size;
}

long process_outside(long number, uint32_t pid_namespace)
{
	DIR *processes = opendir("/proc");
	const struct dirent *entry;
	long found = 0;

	while (processes && !found && (entry = readdir(processes)))
		if (process_is_number(entry->d_name) &&
		    pid_namespace_of(entry->d_name) == pid_namespace &&
		    pid_namespace_number(entry->d_name) == number)
			found = atol(entry->d_name);
	if (processes)
		closedir(processes);
	return found;
}

uint64_t process_resident(long pid)
{
	unsigned long long pages;
	char text[128];

	if (!file_read(pid, "statm", text, sizeof(text)) || sscanf(text, "%*u %llu", &pages) != 1)
		return 0;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* A number of a line of /proc/PID/status, 0 if there is none. */
static unsigned long long line_number(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

uint64_t process_resident_peak(long pid, const char *program, long parent)
{
	char text[4096], name[NAME_KEPT + 1];

	if (!file_read(pid, "status", text, sizeof(text)))
		return 0;
	snprintf(name, sizeof(name), "%s", program);
	/* A script has the name of its file, and its program another. */
	if (strncmp(text, "Name:\t", 6) != 0 ||
	    (strncmp(text + 6, name, strlen(name)) != 0 &&
	     line_number(text, "\nPPid:") != (unsigned long long)parent))
		return 0;
	return (uint64_t)line_number(text, "\nVmHWM:") << 10;
}
