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
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "process.h"
#include "sharers.h"

/* Of Linux 6.3. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

/* A number that programs do not choose: so far below the limit, or this. */
#define BELOW_LIMIT 16
#define NUMBER_MOST 1000

/* Processes that are looked at each time; the others have their turn next. */
#define LOOKS_MOST 64

/* How often is looked for children that have not registered, and the time between, in ns. */
#define FORK_LOOKS 200
#define FORK_PAUSE 5000000

/* How often is looked at what runs while more and more begins. */
#define RUNNING_LOOKS 50

#define SLOTS_RESERVED 256

/* As large as files may be here; a sparse one. False with errno. */
static bool file_lengthen(int fd, off_t size)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    (off_t)limit.rlim_cur < size)
		size = (off_t)limit.rlim_cur;
	while (size >= TABLE_AREA_OFFSET) {
		if (ftruncate(fd, size) == 0)
			return true;
		if (errno != EFBIG)
			return false;
		size /= 2;
	}
	errno = EFBIG;
	return false;
}

static int memory_make(off_t size)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("bheap", flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("bheap", flags);
	if (fd >= 0 && file_lengthen(fd, size) &&
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

/* Storage for the table's first slots: on a full disk each access would be a SIGBUS. */
static bool file_reserve(int fd)
{
	errno = posix_fallocate(fd, 0, offsetof(struct table, slots[SLOTS_RESERVED]));
	return errno == 0;
}

static int file_make(off_t size)
{
	char *path;
	int fd;

	if (asprintf(&path, "%s/bheap-XXXXXX", temporary_folder()) < 0)
		return -1;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	if (fd >= 0 && (!file_lengthen(fd, size) || !file_reserve(fd))) {
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

bool handover_open(struct handover *handover, const char *name, size_t area_size, bool on_disk)
{
	off_t size = TABLE_AREA_OFFSET + (off_t)area_size;
	struct stat status;
	void *table;

	*handover = (struct handover){.fd = on_disk ? file_make(size) : memory_make(size)};
	if (handover->fd < 0)
		return false;
	handover->fd = number_choose(handover->fd);
	table = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, MAP_SHARED, handover->fd,
		     0);
	if (table == MAP_FAILED || fstat(handover->fd, &status)) {
		warn("no memory to share");
		close(handover->fd);
		return false;
	}
	handover->table = table;
	snprintf(handover->setting, sizeof(handover->setting), "%s=%d:%ld:%ju:%ju", name,
		 handover->fd, (long)getpid(), (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return true;
}

void handover_give(struct handover *handover, struct child *child)
{
	child->fd = handover->fd;
	child->own_pid = &handover->table->pid;
}

size_t handover_count(const struct handover *handover, size_t *missed)
{
	uint32_t claimed = __atomic_load_n(&handover->table->claimed, __ATOMIC_ACQUIRE);

	*missed = claimed > TABLE_SLOTS ? claimed - TABLE_SLOTS : 0;
	return claimed - *missed;
}

/* Not a zombie. Where processes are numbered anew, a number may be another one's. */
static bool number_runs(pid_t pid)
{
	char path[32], state = 0;
	FILE *stream;

	if (pid <= 0 || (kill(pid, 0) && errno == ESRCH))
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	stream = fopen(path, "re");
	if (stream && fscanf(stream, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (stream)
		fclose(stream);
	return state != 'Z';
}

bool handover_runs(const struct table_slot *slot)
{
	return table_state(slot) == TABLE_RUNNING && number_runs(slot->pid);
}

bool handover_lives(const struct table_slot *slot)
{
	enum table_state state = table_state(slot);

	return (state == TABLE_RUNNING || state == TABLE_EXECUTES) && number_runs(slot->pid);
}

/* Children that were forked and have not registered. */
static size_t forks_open(const struct handover *handover)
{
	int32_t forks = __atomic_load_n(&handover->table->forks, __ATOMIC_ACQUIRE);

	return forks > 0 ? (size_t)forks : 0;
}

static void forks_wait(const struct handover *handover)
{
	static const struct timespec pause = {.tv_nsec = FORK_PAUSE};

	for (unsigned looks = 0; looks < FORK_LOOKS && forks_open(handover); looks++)
		nanosleep(&pause, NULL);
}

/* False where its number is another process's, as that of one in a namespace of its own may be. */
static bool slot_is_named(const struct table_slot *slot)
{
	bool executes = table_state(slot) == TABLE_EXECUTES;
	const char *path = executes ? slot->execution.path : slot->program;
	const char *last = strrchr(path, '/');
	struct process process;
	char number[16];

	snprintf(number, sizeof(number), "%ld", (long)slot->pid);
	return !process_find(&process, number) &&
	       process_is_named(&process, last ? last + 1 : path);
}

/* True if it cannot be seen whether it has the table mapped, or if it has not. */
static bool is_unshared(const struct table_slot *slot)
{
	return table_state(slot) == TABLE_EXECUTES || !sharers_see(slot->pid);
}

/* If all is set; else only what the table's mapping does not tell of. */
static size_t slots_running(const struct handover *handover, size_t slots, bool all)
{
	size_t running = 0;

	for (size_t index = 0; index < slots; index++) {
		const struct table_slot *slot = &handover->table->slots[index];

		if (handover_lives(slot))
			running += all || (is_unshared(slot) && slot_is_named(slot));
	}
	return running;
}

/*
 * A process that has the table mapped runs, whatever its number is in its namespace, and whether it
 * has registered or not. The slots tell of programs that do not have the table mapped, and of
 * processes that may not be looked at.
 */
static size_t sharers_running(const struct handover *handover, const struct sharers *sharers)
{
	size_t missed;

	return sharers_count(sharers) +
	       slots_running(handover, handover_count(handover, &missed), false);
}

/* Where /proc tells nothing: what the table tells. */
static size_t registered_running(const struct handover *handover, bool *unsure)
{
	size_t missed, open = forks_open(handover);

	*unsure = open != 0;
	return slots_running(handover, handover_count(handover, &missed), true) + open;
}

/*
 * Once more where one was forked or has registered meanwhile: its parent may have ended before it
 * was looked at, and it may have begun after that.
 */
size_t handover_running(const struct handover *handover, bool *unsure)
{
	size_t missed, slots, running, open;
	unsigned looks = RUNNING_LOOKS;
	struct sharers sharers;
	bool seen;

	do {
		slots = handover_count(handover, &missed);
		open = forks_open(handover);
		running = registered_running(handover, unsure);
		seen = running && sharers_find(&sharers, handover->table);
		if (seen)
			running = sharers_running(handover, &sharers);
	} while (--looks &&
		 (handover_count(handover, &missed) != slots || forks_open(handover) != open));
	*unsure = *unsure && !seen;
	return running;
}

const char *handover_verb(size_t running, bool unsure)
{
	if (unsure)
		return "may run";
	return running == 1 ? "runs" : "run";
}

static void slot_watch(struct table_slot *slot)
{
	uint64_t resident = process_resident_peak(slot->pid, slot->program, slot->parent);

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

	if (left->pid != right->pid)
		return left->pid < right->pid ? -1 : 1;
	return (left > right) - (left < right);
}

static void slot_replace(struct table_slot *slot, struct table_slot *next)
{
	if (!*next->execution.path)
		next->execution = slot->execution;
	table_state_set(slot, TABLE_REPLACED);
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
	for (size_t index = 0; index + 1 < count; index++)
		if (table_state(slots[index]) == TABLE_EXECUTES &&
		    slots[index]->pid == slots[index + 1]->pid)
			slot_replace(slots[index], slots[index + 1]);
	free(slots);
}

void handover_end(struct handover *handover, const struct child_end *end)
{
	struct table_slot *slot = &handover->table->slots[0];
	uint64_t counted = (uint64_t)end->usage.ru_maxrss * 1024;
	size_t missed;

	forks_wait(handover);
	executions_settle(handover);
	if (handover_count(handover, &missed) == 1 && slot->pid == end->pid &&
	    table_state(slot) != TABLE_EXECUTES && counted > end->before &&
	    counted > slot->resident)
		slot->resident = counted;
}

size_t handover_read(const struct handover *handover, void *into, size_t size, size_t offset)
{
	ssize_t length = pread(handover->fd, into, size, TABLE_AREA_OFFSET + (off_t)offset);

	return length > 0 ? (size_t)length : 0;
}

void handover_close(struct handover *handover)
{
	munmap(handover->table, sizeof(struct table));
	close(handover->fd);
}
