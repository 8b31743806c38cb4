/* SPDX-License-Identifier: MIT */
/*
 * table.c - see table.h. The setting is "FD:PID:DEVICE:INODE": the open file that bheap hands down;
 * for a program whose parent closed it, the process and number under which bheap has it open; and
 * by which numbers the file is known.
 */
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define AREA_LEAST ((size_t)1 << 20)
#define AREA_PART 4 /* of a limited address space: one of so many */
#define AREA_MOST (sizeof(void *) > 4 ? (size_t)1 << 36 : (size_t)1 << 29)

/* Of Linux 5.14: makes pages writable memory, or fails where writing to them would be SIGBUS. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* ---- finding it ---- */

struct source {
	unsigned long long fd, pid, device, inode;
};

static bool source_parse(struct source *source, const char *setting)
{
	unsigned long long *fields[] = {&source->fd, &source->pid, &source->device, &source->inode};
	char *rest = (char *)(uintptr_t)setting;

	for (unsigned index = 0; index < 4; index++) {
		char *from = rest;

		*fields[index] = strtoull(from, &rest, 10);
		if (rest == from || *rest != (index < 3 ? ':' : '\0'))
			return false;
		rest++;
	}
	return true;
}

static bool is_it(int fd, const struct source *source, struct stat *status)
{
	return fstat(fd, status) == 0 && status->st_dev == source->device &&
	       status->st_ino == source->inode && status->st_size >= TABLE_AREA_OFFSET;
}

/* The descriptor handed down stays open, for the programs that this one executes. */
static int source_open(const struct source *source, struct stat *status, bool *own)
{
	char path[64];
	int fd;

	*own = false;
	if (is_it((int)source->fd, source, status))
		return (int)source->fd;
	snprintf(path, sizeof(path), "/proc/%llu/fd/%llu", source->pid, source->fd);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	*own = fd >= 0;
	if (fd < 0 || is_it(fd, source, status))
		return fd;
	close(fd);
	return -1;
}

/* ---- mapping it ---- */

/* The program needs the rest of a limited address space itself. */
static size_t area_wanted(off_t size)
{
	size_t wanted = size < (off_t)AREA_MOST ? (size_t)size : AREA_MOST;
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur / AREA_PART < wanted)
		wanted = (size_t)(limit.rlim_cur / AREA_PART) & ~(AREA_LEAST - 1);
	return wanted;
}

static void area_map(struct table_view *view, int fd, off_t size)
{
	size_t wanted = area_wanted(size);
	void *area = MAP_FAILED;

	view->beyond = wanted < (size_t)size ? ENOMEM : ENOSPC;
	while (wanted >= AREA_LEAST && area == MAP_FAILED) {
		area = mmap(NULL, wanted, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd,
			    TABLE_AREA_OFFSET);
		if (area == MAP_FAILED) {
			wanted /= 2;
			view->beyond = ENOMEM;
		}
	}
	if (area != MAP_FAILED) {
		madvise(area, wanted, MADV_DONTDUMP);
		view->area = area;
		view->area_size = wanted;
	}
}

void table_attach(struct table_view *view, const char *setting)
{
	struct source source;
	struct stat status;
	int fd, saved = errno;
	bool own;
	void *table;

	*view = (struct table_view){.table = NULL};
	if (!setting || !source_parse(&source, setting))
		return;
	fd = source_open(&source, &status, &own);
	if (fd >= 0) {
		table = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_NORESERVE, fd, 0);
		view->table = table == MAP_FAILED ? NULL : table;
		if (view->table) {
			madvise(table, sizeof(struct table), MADV_DONTDUMP);
			area_map(view, fd, status.st_size - TABLE_AREA_OFFSET);
		}
	}
	if (fd >= 0 && own)
		close(fd);
	errno = saved;
}

int table_area_open(const struct table_view *view, size_t offset, size_t size)
{
	if (offset > view->area_size || size > view->area_size - offset) {
		errno = view->beyond;
		return false;
	}
	if (mprotect(view->area + offset, size, PROT_READ | PROT_WRITE))
		return false;
	if (madvise(view->area + offset, size, MADV_POPULATE_WRITE) == 0 || errno == EINVAL)
		return true;
	if (errno == EFAULT)
		errno = ENOSPC;
	return false;
}

/* ---- slots ---- */

void table_name(struct table_slot *slot)
{
	const char *name = program_invocation_short_name;

	snprintf(slot->program, sizeof(slot->program), "%s", name ? name : "");
}

char *table_generation(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return NULL;
	*page = 1;
	if (madvise(page, size, MADV_WIPEONFORK) == 0)
		return page;
	munmap(page, size);
	return NULL;
}

static uint32_t *latest_of(struct table *table, pid_t pid)
{
	return &table->by_process[(uint32_t)pid % TABLE_SLOTS];
}

/* The slot that a process of this number claimed last, or NULL. */
static struct table_slot *slot_latest(struct table *table, pid_t pid)
{
	uint32_t number = __atomic_load_n(latest_of(table, pid), __ATOMIC_ACQUIRE) - 1;
	struct table_slot *slot = number < TABLE_SLOTS ? &table->slots[number] : NULL;

	return slot && slot->pid == pid ? slot : NULL;
}

/* The same, if the process has not left it. may_execute: or executes a program. */
static struct table_slot *slot_of(struct table *table, pid_t pid, bool may_execute)
{
	struct table_slot *slot = slot_latest(table, pid);
	enum table_state state = slot ? table_state(slot) : TABLE_EMPTY;

	return state == TABLE_RUNNING || (state == TABLE_EXECUTES && may_execute) ? slot : NULL;
}

static struct table_slot *slot_new(struct table *table, pid_t pid)
{
	uint32_t number = __atomic_fetch_add(&table->claimed, 1, __ATOMIC_RELAXED);

	if (number >= TABLE_SLOTS)
		return NULL;
	if (pid)
		__atomic_store_n(latest_of(table, pid), number + 1, __ATOMIC_RELEASE);
	return &table->slots[number];
}

/* Of a process that executed a program before it had anything to tell. */
static bool slot_is_bare(const struct table_slot *slot)
{
	bool bare = !slot->origin;

	for (unsigned index = 0; index < TABLE_FIGURES; index++)
		bare = bare && !slot->figures[index];
	return bare;
}

struct table_slot *table_claim(struct table *table, const struct table_slot *origin,
			       int (*may_replace)(struct table *, struct table_slot *))
{
	pid_t pid = getpid();
	struct table_slot *slot = slot_of(table, pid, !origin);
	struct table_execution execution = {.lack = TABLE_LACKS_NOTHING};

	if (slot && table_state(slot) == TABLE_EXECUTES)
		execution = slot->execution;
	if (!slot || !(slot_is_bare(slot) || may_replace(table, slot))) {
		if (slot)
			table_state_set(slot, TABLE_REPLACED);
		slot = slot_new(table, pid);
	}
	if (!slot)
		return NULL;
	*slot = (struct table_slot){
		.origin = origin ? table_index(table, origin) + 1 : 0,
		.pid = pid,
		.parent = getppid(),
		.execution = execution,
	};
	if (origin)
		memcpy(slot->program, origin->program, sizeof(slot->program));
	else
		table_name(slot);
	table_state_set(slot, TABLE_RUNNING);
	return slot;
}

/* ---- executions ---- */

struct table_slot *table_execute(struct table *table, pid_t pid)
{
	struct table_slot *slot = pid ? slot_of(table, pid, true) : NULL;

	if (slot)
		return slot;
	slot = slot_new(table, pid);
	if (!slot)
		return NULL;
	*slot = (struct table_slot){.pid = pid, .parent = pid ? getppid() : getpid()};
	return slot;
}

/* The number is used again, unless another slot was claimed since. */
void table_execute_cancel(struct table *table, struct table_slot *slot)
{
	uint32_t number = table_index(table, slot), next = number + 1;

	table_state_set(slot, TABLE_EMPTY);
	__atomic_compare_exchange_n(&table->claimed, &next, number, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
}

/*
 * If the child registers at this moment it has another slot, a later one: by which it is known that
 * this one tells nothing.
 */
void table_execute_child(struct table *table, struct table_slot *slot, pid_t child)
{
	uint32_t *latest = latest_of(table, child);
	uint32_t before = __atomic_load_n(latest, __ATOMIC_ACQUIRE);

	slot->pid = child;
	if (before > table_index(table, slot) + 1 && slot_latest(table, child))
		table_execute_cancel(table, slot);
	else
		__atomic_compare_exchange_n(latest, &before, table_index(table, slot) + 1, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* ---- forks ---- */

static void forks_add(const struct table_view *view, int32_t change)
{
	if (view->table)
		__atomic_add_fetch(&view->table->forks, change, __ATOMIC_RELEASE);
}

void table_fork_prepare(struct table_view *view)
{
	view->before_fork = errno;
	errno = 0;
	forks_add(view, 1);
}

/* Called where the fork failed, too: only errno tells, which handlers of others may have set. */
void table_fork_parent(const struct table_view *view)
{
	if (errno == EAGAIN || errno == ENOMEM)
		forks_add(view, -1);
	else
		errno = view->before_fork;
}

void table_fork_child(const struct table_view *view)
{
	forks_add(view, -1);
	errno = view->before_fork;
}
