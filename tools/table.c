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
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pid_namespace.h"

#define AREA_LEAST ((size_t)1 << 20)
#define AREA_PART 4 /* of a limited address space: one of so many */
/* Odd: namespaces have inode numbers that follow one another. */
#define NAMESPACE_SPREAD 40503u
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
	       status->st_ino == source->inode;
}

/* As long as the process has it mapped, bheap sees that it has: handover.c. */
static bool is_it_and_lock(int fd, const struct source *source, struct stat *status)
{
	bool found = is_it(fd, source, status);

	if (found)
		flock(fd, LOCK_SH | LOCK_NB);
	return found;
}

/* Not open(2), which is a cancellation point: execve(2) is none. */
static int source_reopen(const struct source *source)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%llu/fd/%llu", source->pid, source->fd);
	return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* The descriptor handed down stays open, for the programs that this one executes. */
static int source_open(const struct source *source, struct stat *status, bool *own)
{
	int fd;

	*own = false;
	if (is_it((int)source->fd, source, status))
		return (int)source->fd;
	fd = source_reopen(source);
	*own = fd >= 0;
	if (fd < 0 || is_it_and_lock(fd, source, status))
		return fd;
	close(fd);
	return -1;
}

bool table_is_handed_down(const char *setting)
{
	struct source source;
	struct stat status;
	bool found;
	int fd;

	if (!source_parse(&source, setting))
		return false;
	fd = (int)source.fd;
	if (is_it(fd, &source, &status) && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
		return true;
	fd = source_reopen(&source);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE;
	found = is_it(fd, &source, &status);
	syscall(SYS_close, fd);
	return found;
}

/* ---- mapping it ---- */

/* Of so many bytes of addresses. The program needs the rest itself. */
static size_t area_part(size_t size, uint64_t addresses)
{
	uint64_t part = addresses / AREA_PART;

	return part < size ? (size_t)part & ~(AREA_LEAST - 1) : size;
}

static size_t area_wanted(off_t size)
{
	size_t wanted = size < (off_t)AREA_MOST ? (size_t)size : AREA_MOST;
	struct rlimit limit;

	return getrlimit(RLIMIT_AS, &limit) == 0 ? area_part(wanted, limit.rlim_cur) : wanted;
}

static void area_map(struct table_view *view, int fd, off_t offset, off_t size)
{
	size_t wanted = area_wanted(size);
	void *area = MAP_FAILED;

	view->beyond = wanted < (size_t)size ? ENOMEM : ENOSPC;
	while (wanted >= AREA_LEAST && area == MAP_FAILED) {
		area = mmap(NULL, wanted, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, offset);
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

/* False if it is none that this library knows. */
static bool slots_read(struct table_view *view, int fd, off_t size)
{
	struct table head;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head) || !head.slots_most ||
	    head.slots_most > TABLE_SLOTS_MOST || table_area_offset(head.slots_most) > size)
		return false;
	view->slots_most = head.slots_most;
	return true;
}

static void table_map(struct table_view *view, int fd, off_t size)
{
	size_t own = table_size(view->slots_most);
	off_t offset = table_area_offset(view->slots_most);
	void *table = mmap(NULL, own, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (table == MAP_FAILED)
		return;
	view->table = table;
	madvise(table, own, MADV_DONTDUMP);
	area_map(view, fd, offset, size - offset);
}

void table_attach(struct table_view *view, const char *setting)
{
	struct source source;
	struct stat status;
	int fd, saved = errno;
	bool own;

	*view = (struct table_view){.table = NULL};
	if (!setting || !source_parse(&source, setting))
		return;
	fd = source_open(&source, &status, &own);
	if (fd >= 0 && slots_read(view, fd, status.st_size))
		table_map(view, fd, status.st_size);
	if (fd >= 0 && own)
		close(fd);
	errno = saved;
}

void table_area_limit(struct table_view *view, uint64_t addresses, size_t kept)
{
	size_t size = area_part(view->area_size, addresses);

	if (size < kept)
		size = kept;
	if (size == view->area_size || munmap(view->area + size, view->area_size - size))
		return;
	view->area_size = size;
	view->beyond = ENOMEM;
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

/*
 * Slots are found in chains, the latest first: one for each process, but for few that share theirs,
 * for numbers of one namespace follow one another.
 */
static uint32_t *chain_of(const struct table_view *view, struct table_process process)
{
	uint32_t *latest = (uint32_t *)(void *)&view->table->slots[view->slots_most];

	return &latest[((uint32_t)process.pid + process.pid_namespace * NAMESPACE_SPREAD) %
		       view->slots_most];
}

static uint32_t *before_of(const struct table_view *view)
{
	return (uint32_t *)(void *)&view->table->slots[view->slots_most] + view->slots_most;
}

/* A chain goes down: what is damaged ends it. */
static struct table_slot *chain_find(const struct table_view *view, struct table_process process,
				     struct table_process wanted)
{
	uint32_t next = __atomic_load_n(chain_of(view, process), __ATOMIC_ACQUIRE);

	for (uint32_t last = view->slots_most + 1; next && next < last;
	     next = before_of(view)[last - 1]) {
		struct table_slot *slot = &view->table->slots[next - 1];

		if (table_is_same(slot->process, wanted))
			return slot;
		last = next;
	}
	return NULL;
}

/* A slot joins the chain of a process, unless a later one has. */
static bool chain_join(const struct table_view *view, uint32_t number, struct table_process process)
{
	uint32_t *chain = chain_of(view, process);
	uint32_t latest = __atomic_load_n(chain, __ATOMIC_ACQUIRE);

	do {
		if (latest > number)
			return false;
		before_of(view)[number] = latest;
	} while (!__atomic_compare_exchange_n(chain, &latest, number + 1, true, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	return true;
}

/* One that has joined no chain, or is not the latest, stays where it is. */
static void chain_leave(const struct table_view *view, uint32_t number,
			struct table_process process)
{
	uint32_t latest = number + 1;

	__atomic_compare_exchange_n(chain_of(view, process), &latest, before_of(view)[number],
				    false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* Of one whose namespace is not known: in any chain. */
static struct table_slot *slot_search(const struct table_view *view, struct table_process process)
{
	uint32_t slots = __atomic_load_n(&view->table->claimed, __ATOMIC_ACQUIRE);

	for (slots = slots < view->slots_most ? slots : view->slots_most; slots-- > 0;)
		if (table_is_same(view->table->slots[slots].process, process))
			return &view->table->slots[slots];
	return NULL;
}

/* The slot that a process claimed last, or NULL. */
static struct table_slot *slot_latest(const struct table_view *view, struct table_process process)
{
	struct table_process unknown = {process.pid, 0};
	struct table_slot *slot;

	if (!process.pid_namespace)
		return slot_search(view, process);
	slot = chain_find(view, process, process);
	return slot ? slot : chain_find(view, unknown, process);
}

/* The same, if the process has not left it. may_execute: or executes a program. */
static struct table_slot *slot_of(const struct table_view *view, struct table_process process,
				  bool may_execute)
{
	struct table_slot *slot = slot_latest(view, process);
	enum table_state state = slot ? table_state(slot) : TABLE_EMPTY;

	return state == TABLE_RUNNING || (state == TABLE_EXECUTES && may_execute) ? slot : NULL;
}

static struct table_slot *slot_new(const struct table_view *view, struct table_process process)
{
	uint32_t number = __atomic_fetch_add(&view->table->claimed, 1, __ATOMIC_RELAXED);

	if (number >= view->slots_most)
		return NULL;
	if (process.pid)
		chain_join(view, number, process);
	return &view->table->slots[number];
}

/* Of a process that executed a program before it had anything to tell. */
static bool slot_is_bare(const struct table_slot *slot)
{
	bool bare = !slot->origin;

	for (unsigned index = 0; index < TABLE_FIGURES; index++)
		bare = bare && !slot->figures[index];
	return bare;
}

/* The child of a process that it sees has its namespace. */
static struct table_process process_own(const struct table_slot *origin)
{
	bool inherits = origin && getppid();

	return (struct table_process){getpid(), inherits ? origin->process.pid_namespace
							 : pid_namespace_own()};
}

struct table_slot *table_claim(const struct table_view *view, const struct table_slot *origin,
			       int (*may_replace)(struct table *, struct table_slot *))
{
	struct table_process process = process_own(origin);
	struct table_slot *slot = slot_of(view, process, !origin);
	struct table_execution execution = {.lack = TABLE_LACKS_NOTHING};

	if (slot && table_state(slot) == TABLE_EXECUTES)
		execution = slot->execution;
	if (!slot || !(slot_is_bare(slot) || may_replace(view->table, slot))) {
		if (slot)
			table_state_set(slot, TABLE_REPLACED);
		slot = slot_new(view, process);
	}
	if (!slot)
		return NULL;
	*slot = (struct table_slot){
		.origin = origin ? table_index(view->table, origin) + 1 : 0,
		.process = process,
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

struct table_slot *table_execute(const struct table_view *view, pid_t pid)
{
	struct table_process process = {pid, pid_namespace_own()};
	struct table_slot *slot = pid ? slot_of(view, process, true) : NULL;

	if (slot)
		return slot;
	slot = slot_new(view, process);
	if (!slot)
		return NULL;
	*slot = (struct table_slot){.process = process, .parent = pid ? getppid() : getpid()};
	return slot;
}

/* The number is used again, unless another slot was claimed since. */
void table_execute_cancel(const struct table_view *view, struct table_slot *slot)
{
	uint32_t number = table_index(view->table, slot), next = number + 1;

	table_state_set(slot, TABLE_EMPTY);
	chain_leave(view, number, slot->process);
	__atomic_compare_exchange_n(&view->table->claimed, &next, number, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
}

/* A child begins in another namespace after unshare(2) or setns(2). */
static struct table_process process_of_child(struct table_process own, pid_t child)
{
	char folder[16];
	uint32_t pid_namespace;

	snprintf(folder, sizeof(folder), "%ld", (long)child);
	pid_namespace = pid_namespace_of(folder);
	if (!pid_namespace || pid_namespace == own.pid_namespace)
		return (struct table_process){child, own.pid_namespace};
	return (struct table_process){pid_namespace_number(folder), pid_namespace};
}

/*
 * If the child registers at this moment it has another slot, a later one: by which it is known that
 * this one tells nothing.
 */
void table_execute_child(const struct table_view *view, struct table_slot *slot, pid_t child)
{
	const struct table_slot *latest;

	slot->process = process_of_child(slot->process, child);
	latest = slot_latest(view, slot->process);
	if (latest > slot)
		table_execute_cancel(view, slot);
	else
		chain_join(view, table_index(view->table, slot), slot->process);
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
