/* SPDX-License-Identifier: MIT */
/*
 * handover.c - see handover.h. A table in memory is sealed, so that nobody can make it shorter
 * under the programs that have it mapped.
 */
#include "handover.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pid_namespace.h"
#include "process.h"

/* Of Linux 6.3. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/* A number that programs do not choose: so far below the limit, or this. */
#define BELOW_LIMIT 16
#define NUMBER_MOST 1000

/* Of a limited address space the table takes one of so many parts. */
#define ADDRESSES_PART 8

/* Processes that are looked at each time; the others have their turn next. */
#define LOOKS_MOST 64

/* How often is looked for children that have not registered, and the time between, in ns. */
#define FORK_LOOKS 200
#define FORK_PAUSE 5000000

#define SLOTS_RESERVED 256

/* The program needs the rest of a limited address space itself. */
static uint32_t slots_affordable(void)
{
	struct rlimit limit;
	rlim_t slots = TABLE_SLOTS_MOST;

	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		slots = limit.rlim_cur / ADDRESSES_PART / table_size(1);
	if (slots < TABLE_SLOTS_LEAST)
		return TABLE_SLOTS_LEAST;
	return slots < TABLE_SLOTS_MOST ? (uint32_t)slots : TABLE_SLOTS_MOST;
}

/* As large as files may be here; a sparse one. False with errno. */
static bool file_lengthen(int fd, off_t size, uint32_t slots_most)
{
	off_t least = table_area_offset(slots_most);
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    (off_t)limit.rlim_cur < size)
		size = (off_t)limit.rlim_cur;
	while (size >= least) {
		if (ftruncate(fd, size) == 0)
			return true;
		if (errno != EFBIG)
			return false;
		size /= 2;
	}
	errno = EFBIG;
	return false;
}

static int memory_make(off_t size, uint32_t slots_most)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("bheap", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("bheap", flags);
	if (fd >= 0 && file_lengthen(fd, size, slots_most) &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	warn("no memory to share");
	if (fd >= 0)
		close(fd);
	return -1;
}

static const char *temporary_folder(void)
{
	const char *folder = secure_getenv("TMPDIR");

	return folder && *folder ? folder : "/tmp";
}

/*
 * Storage for the table's first slots, and for what lies behind the last: on a full disk each
 * access would be a SIGBUS.
 */
static bool file_reserve(int fd, uint32_t slots_most)
{
	uint32_t slots = slots_most < SLOTS_RESERVED ? slots_most : SLOTS_RESERVED;
	off_t end = (off_t)offsetof(struct table, slots[slots_most]);

	errno = posix_fallocate(fd, 0, (off_t)offsetof(struct table, slots[slots]));
	if (!errno)
		errno = posix_fallocate(fd, end, (off_t)table_size(slots_most) - end);
	return errno == 0;
}

static int file_make(off_t size, uint32_t slots_most)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/bheap-XXXXXX", temporary_folder()) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	if (fd >= 0 && (!file_lengthen(fd, size, slots_most) || !file_reserve(fd, slots_most))) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		warn("TMPDIR: %s", temporary_folder());
	free(path);
	return fd;
}

/* The same file under a high number, as far as numbers go. */
static int number_choose(int fd)
{
	struct rlimit limit;
	int wanted = NUMBER_MOST, chosen;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < NUMBER_MOST + BELOW_LIMIT)
		wanted = limit.rlim_cur > 2 * BELOW_LIMIT ? (int)limit.rlim_cur - BELOW_LIMIT
							  : STDERR_FILENO + 1;
	chosen = fcntl(fd, F_DUPFD_CLOEXEC, wanted);
	if (chosen < 0)
		return fd;
	close(fd);
	return chosen;
}

/*
 * The same file, opened once more for the program alone and locked: until the last process that has
 * it open or mapped has ended. 0: that cannot be done here.
 */
static int locked_open(int fd)
{
	char path[32];
	int locked;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	locked = open(path, O_RDWR | O_CLOEXEC);
	if (locked > 0 && flock(locked, LOCK_SH | LOCK_NB) == 0)
		return locked;
	if (locked > 0)
		close(locked);
	return 0;
}

enum handover_held handover_held(const struct handover *handover)
{
	if (!handover->is_locked)
		return HANDOVER_HELD_UNKNOWN;
	if (flock(handover->fd, LOCK_EX | LOCK_NB))
		return HANDOVER_HELD;
	flock(handover->fd, LOCK_UN);
	return HANDOVER_HELD_NOT;
}

bool handover_open(struct handover *handover, const char *name, size_t area_size, bool on_disk)
{
	uint32_t slots_most = slots_affordable();
	off_t size = table_area_offset(slots_most) + (off_t)area_size;
	struct stat status;
	void *table;

	*handover = (struct handover){
		.fd = on_disk ? file_make(size, slots_most) : memory_make(size, slots_most),
		.slots_most = slots_most,
	};
	if (handover->fd < 0)
		return false;
	handover->fd = number_choose(handover->fd);
	table = mmap(NULL, table_size(slots_most), PROT_READ | PROT_WRITE, MAP_SHARED, handover->fd,
		     0);
	if (table == MAP_FAILED || fstat(handover->fd, &status)) {
		warn("no memory to share");
		close(handover->fd);
		return false;
	}
	handover->table = table;
	handover->table->slots_most = slots_most;
	handover->table->process.pid_namespace = pid_namespace_own();
	handover->locked_fd = locked_open(handover->fd);
	handover->is_locked = handover->locked_fd;
	snprintf(handover->setting, sizeof(handover->setting), "%s=%d:%ld:%ju:%ju", name,
		 handover->fd, (long)getpid(), (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return true;
}

void handover_give(struct handover *handover, struct child *child)
{
	child->fd = handover->fd;
	child->locked_fd = handover->locked_fd;
	child->own_pid = &handover->table->process.pid;
}

size_t handover_count(const struct handover *handover, size_t *missed)
{
	uint32_t claimed = __atomic_load_n(&handover->table->claimed, __ATOMIC_ACQUIRE);

	*missed = claimed > handover->slots_most ? claimed - handover->slots_most : 0;
	return claimed - *missed;
}

bool handover_is_outside(const struct table_slot *slot)
{
	uint32_t own = pid_namespace_own();

	return own && slot->process.pid_namespace && slot->process.pid_namespace != own;
}

struct table_process handover_process(const struct child_end *end)
{
	return (struct table_process){(int32_t)end->pid, pid_namespace_own()};
}

long handover_number(const struct table_slot *slot)
{
	if (handover_is_outside(slot))
		return process_outside(slot->process.pid, slot->process.pid_namespace);
	return slot->process.pid;
}

bool handover_runs(const struct table_slot *slot)
{
	return table_state(slot) == TABLE_RUNNING && process_number_runs(handover_number(slot));
}

bool handover_lives(const struct table_slot *slot)
{
	enum table_state state = table_state(slot);

	return (state == TABLE_RUNNING || state == TABLE_EXECUTES) &&
	       process_number_runs(handover_number(slot));
}

bool handover_may_live(const struct table_slot *slot)
{
	return handover_is_outside(slot) || handover_lives(slot);
}

size_t handover_forks(const struct handover *handover)
{
	int32_t forks = __atomic_load_n(&handover->table->forks, __ATOMIC_ACQUIRE);

	return forks > 0 ? (size_t)forks : 0;
}

static void forks_wait(const struct handover *handover)
{
	static const struct timespec pause = {.tv_nsec = FORK_PAUSE};

	for (unsigned looks = 0; looks < FORK_LOOKS && handover_forks(handover); looks++)
		nanosleep(&pause, NULL);
}

static void slot_watch(struct table_slot *slot)
{
	uint64_t resident;

	/* To search for it is too much, so often. */
	if (handover_is_outside(slot))
		return;
	resident = process_resident_peak(slot->process.pid, slot->program, slot->parent);
	if (resident > slot->resident)
		slot->resident = resident;
}

void handover_watch(void *arg)
{
	struct handover *handover = arg;
	size_t missed, slots = handover_count(handover, &missed), looks = LOOKS_MOST;

	for (size_t count = 0; count < slots && looks; count++) {
		struct table_slot *slot = &handover->table->slots[handover->watched++ % slots];

		if (table_state(slot) != TABLE_RUNNING)
			continue;
		slot_watch(slot);
		looks--;
	}
}

static int slot_order(const void *one, const void *other)
{
	const struct table_slot *left = *(struct table_slot *const *)one;
	const struct table_slot *right = *(struct table_slot *const *)other;

	if (left->process.pid != right->process.pid)
		return left->process.pid < right->process.pid ? -1 : 1;
	return (left > right) - (left < right);
}

static void slot_replace(struct table_slot *slot, struct table_slot *next)
{
	if (!*next->execution.path)
		next->execution = slot->execution;
	table_state_set(slot, TABLE_REPLACED);
}

/* The next slot of the same process, of slots in order; or NULL. */
static struct table_slot *slot_next(struct table_slot **slots, size_t index, size_t count)
{
	struct table_process process = slots[index]->process;

	while (++index < count && slots[index]->process.pid == process.pid)
		if (table_is_same(slots[index]->process, process))
			return slots[index];
	return NULL;
}

/* A program that was executed has registered if its process has a later slot. */
static void executions_settle(const struct handover *handover)
{
	size_t missed, count = handover_count(handover, &missed);
	struct table_slot **slots = calloc(count + 1, sizeof(*slots));

	if (!slots)
		err(1, "%zu processes", count);
	for (size_t index = 0; index < count; index++)
		slots[index] = &handover->table->slots[index];
	qsort(slots, count, sizeof(*slots), slot_order);
	for (size_t index = 0; index < count; index++) {
		bool executes = table_state(slots[index]) == TABLE_EXECUTES;
		struct table_slot *next = executes ? slot_next(slots, index, count) : NULL;

		if (next)
			slot_replace(slots[index], next);
	}
	free(slots);
}

static void locked_close(struct handover *handover)
{
	if (handover->locked_fd)
		close(handover->locked_fd);
	handover->locked_fd = 0;
}

void handover_end(struct handover *handover, const struct child_end *end)
{
	struct table_slot *slot = &handover->table->slots[0];
	uint64_t counted = (uint64_t)end->usage.ru_maxrss * 1024;
	size_t missed;

	locked_close(handover);
	forks_wait(handover);
	executions_settle(handover);
	if (handover_count(handover, &missed) == 1 &&
	    table_is_same(slot->process, handover_process(end)) &&
	    table_state(slot) != TABLE_EXECUTES && counted > end->before &&
	    counted > slot->resident)
		slot->resident = counted;
}

size_t handover_read(const struct handover *handover, void *into, size_t size, size_t offset)
{
	ssize_t length = pread(handover->fd, into, size,
			       table_area_offset(handover->slots_most) + (off_t)offset);

	return length > 0 ? (size_t)length : 0;
}

void handover_close(struct handover *handover)
{
	locked_close(handover);
	munmap(handover->table, table_size(handover->slots_most));
	close(handover->fd);
}
