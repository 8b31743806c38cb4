/* SPDX-License-Identifier: MIT */
/*
 * test_rare.c - what the system answers seldom, or not on this machine, and what others do
 * between two calls of one operation.
 */
#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/file.h"
#include "handle/intent.h"
#include "handle/handle.h"
#include "os/secret.h"
#include "wraps.h"

#define SIZE (64 * 1024)
/* This program is run again with one of these set. */
#define WITHOUT_FORKS "BHEAP_TEST_WITHOUT_FORKS"
#define WITHOUT_WIPING "BHEAP_TEST_WITHOUT_WIPING" /* how it fails: struct run */

static struct {
	bool no_random, no_status, no_kill, no_poll, no_lock, no_descriptor, no_attach_lock,
		no_write;
	bool no_protection, no_mapping;
	bool protection_refused;      /* the next one, once */
	bool vanished;                /* the next file that is there is not found, once */
	bool attach_lock_taken;       /* by another process, for ever */
	unsigned locks_taken;         /* so often is a lock another process's, for a moment */
	bool spoils_errno;            /* what ends a mapping, closes or cuts a file */
	int full;                     /* the disk, or what the user may have of it: errno */
	bool no_nap;                  /* time passes at once */
	int64_t napped;               /* nanoseconds, so far */
	void (*napping)(void);        /* done before the next nap */
	unsigned interrupted;         /* so often is storage not reserved yet */
	void (*reserving)(void);      /* done first, then the disk is full */
	void (*mapping)(void);        /* done before the next mapping */
	void (*opening)(void);        /* done before a file that is there is opened */
	void (*opening_again)(void);  /* done before it is opened with O_CREAT, too */
	void (*open_locking)(void);   /* done before the open lock is taken */
	void (*reinitialising)(void); /* done before the next lock is made */
	dev_t device;                 /* where files seem to be, or 0 */
} system_is;

static const char *path;
static struct faults faults;

/* ---- what stands in for the system ---- */

static const struct wrap_answer real = {.kind = WRAP_REAL};

static struct wrap_answer instead(bool asked, intptr_t result, int error)
{
	return asked ? (struct wrap_answer){WRAP_INSTEAD, result, error} : real;
}

/* Runs a function once. */
static void run_once(void (**function)(void))
{
	void (*first)(void) = *function;

	*function = NULL;
	if (first)
		first();
}

/* fstatat() is not wrapped. */
static struct wrap_answer status_answer(const struct wrap_call *call)
{
	struct stat *status = call->argument;
	int result;

	if (!system_is.device)
		return instead(system_is.no_status, -1, 0);
	result = fstatat(AT_FDCWD, call->name, status, 0);
	status->st_dev = system_is.device;
	return instead(true, result, 0);
}

static struct wrap_answer lock_answer(const struct wrap_call *call)
{
	const struct flock *lock = call->argument;

	if (call->command != F_OFD_SETLK || lock->l_type == F_UNLCK)
		return real;
	if (!lock->l_start)
		run_once(&system_is.open_locking);
	if (lock->l_start && lock->l_type == F_RDLCK && system_is.no_attach_lock)
		return instead(true, -1, ENOLCK);
	if (lock->l_start && lock->l_type == F_RDLCK && system_is.attach_lock_taken)
		return instead(true, -1, EAGAIN);
	if (system_is.locks_taken) {
		system_is.locks_taken--;
		return instead(true, -1, EAGAIN);
	}
	return instead(system_is.no_lock, -1, EACCES);
}

static struct wrap_answer reserve_answer(void)
{
	if (system_is.reserving) {
		system_is.reserving();
		return instead(true, ENOSPC, 0);
	}
	if (!system_is.interrupted)
		return real;
	system_is.interrupted--;
	return instead(true, EINTR, 0);
}

static struct wrap_answer allocate_answer(void)
{
	if (!system_is.interrupted)
		return instead(system_is.full, -1, system_is.full);
	system_is.interrupted--;
	return instead(true, -1, EINTR);
}

static struct wrap_answer protect_answer(void)
{
	bool refused = system_is.no_protection || system_is.protection_refused;

	system_is.protection_refused = false;
	return instead(refused, -1, ENOMEM);
}

/* Runs what another process or thread does first. */
static struct wrap_answer after(void (**function)(void))
{
	run_once(function);
	return real;
}

static struct wrap_answer open_answer(const struct wrap_call *call)
{
	bool vanished = system_is.vanished && !(call->command & O_CREAT);

	if (vanished) {
		system_is.vanished = false;
		return instead(true, -1, ENOENT);
	}
	if (!(call->command & O_CREAT))
		return after(&system_is.opening);
	return call->command & O_EXCL ? real : after(&system_is.opening_again);
}

static bool runs_without_wiping(const char *how)
{
	const char *set = getenv(WITHOUT_WIPING);

	return set && !strcmp(set, how);
}

/* Before main() the library maps one page, to be wiped in the child of a fork. */
static struct wrap_answer map_answer(const struct wrap_call *call)
{
	static bool was_first;
	bool is_first = !was_first;

	was_first = true;
	if (is_first && runs_without_wiping("no page"))
		return instead(true, -1, ENOMEM);
	run_once(&system_is.mapping);
	return instead(system_is.no_mapping && call->fd >= 0, -1, ENOMEM);
}

/* A kernel before 4.14 refuses; qemu's emulation of a process answers, and does nothing. */
static struct wrap_answer advise_answer(const struct wrap_call *call)
{
	if (call->command != MADV_WIPEONFORK)
		return real;
	if (runs_without_wiping("refused"))
		return instead(true, -1, EINVAL);
	return instead(runs_without_wiping("ignored"), 0, 0);
}

struct wrap_answer wrap_answer(const struct wrap_call *call)
{
	switch (call->function) {
	case WRAP_GETAUXVAL:
		return instead(system_is.no_random && call->command == AT_RANDOM, 0, 0);
	case WRAP_GETRANDOM: return instead(system_is.no_random, -1, ENOSYS);
	case WRAP_STAT: return status_answer(call);
	case WRAP_FSTAT: return instead(system_is.no_descriptor, -1, 0);
	case WRAP_SHM_OPEN:
	case WRAP_OPEN: return open_answer(call);
	case WRAP_KILL: return instead(system_is.no_kill, -1, EPERM);
	case WRAP_POLL: return instead(system_is.no_poll, -1, ENOMEM);
	case WRAP_FCNTL: return lock_answer(call);
	case WRAP_MUNMAP:
	case WRAP_CLOSE:
	case WRAP_FTRUNCATE:
		return system_is.spoils_errno ? (struct wrap_answer){WRAP_AFTER, 0, EIO} : real;
	case WRAP_MMAP: return map_answer(call);
	case WRAP_MADVISE: return advise_answer(call);
	case WRAP_MPROTECT: return protect_answer();
	case WRAP_PWRITE: return instead(system_is.no_write, 0, 0);
	case WRAP_FALLOCATE: return allocate_answer();
	case WRAP_POSIX_FALLOCATE: return reserve_answer();
	case WRAP_SPIN_INIT: return after(&system_is.reinitialising);
	case WRAP_NAP:
		run_once(&system_is.napping);
		__atomic_fetch_add(&system_is.napped, (int64_t)call->command, __ATOMIC_RELAXED);
		return instead(system_is.no_nap, 0, 0);
	case WRAP_ATFORK: return instead(getenv(WITHOUT_FORKS), ENOMEM, 0);
	default: return real;
	}
}

/* ---- before and after ---- */

static void setup(void)
{
	path = path_make();
	memset(&system_is, 0, sizeof(system_is));
	faults_expect(&faults);
}

/* ---- the system ---- */

/* Seals are weaker then, for the key is a hash of an address; they hold all the same. */
START_TEST(no_random_word)
{
	bheap_t *heap, *other;
	char *block;

	system_is.no_random = true;
	heap = bheap_create(SIZE, BHEAP_GUARD);
	other = bheap_create(SIZE, BHEAP_GUARD);
	ck_assert_uint_eq(heap->key, bh_secret_derived(BH_SECRET_SEALS, (uintptr_t)heap));
	ck_assert_uint_ne(heap->key, other->key);
	block = bheap_alloc(heap, 40);
	memory_change(block + 40, 'x');
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_OVERFLOW);
	bheap_destroy(heap);
	bheap_destroy(other);
}
END_TEST

/* Of a process with as many mappings as it may have: freed memory is filled, as small blocks are.
 */
START_TEST(pages_that_cannot_be_closed)
{
	bheap_t *heap = bheap_create(32 * SIZE, BHEAP_GUARD);
	char *block = bheap_alloc(heap, 10 * SIZE), *fence = bheap_alloc(heap, 16);

	memset(block, 0x11, 10 * SIZE);
	system_is.no_protection = true;
	errno = ENOTTY;
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_errno(ENOTTY);
	system_is.no_protection = false;
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	memory_scribble(block + SIZE / 2, "w", 1);
	ck_assert_ptr_eq(bheap_alloc(heap, 10 * SIZE), block);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_WRITTEN_FREE);
	ck_assert_int_eq(heap_free(heap, fence), 0);
	bheap_destroy(heap);
}
END_TEST

/* A part of what is closed would be a mapping more: all of it is opened. */
START_TEST(pages_that_cannot_be_opened_alone)
{
	bheap_t *heap = bheap_create(32 * SIZE, BHEAP_GUARD);
	/* Up to an aligned address: the next one lies many pages behind the start of the block. */
	char *first = bheap_alloc(heap, 16);
	char *second = bheap_alloc(heap, 2 * SIZE - ((uintptr_t)first & (2 * SIZE - 1)));
	char *block = bheap_alloc(heap, 10 * SIZE), *fence = bheap_alloc(heap, 16), *part;

	ck_assert_int_eq(heap_free(heap, block), 0);
	system_is.protection_refused = true;
	errno = ENOTTY;
	part = bheap_aligned_alloc(heap, 2 * SIZE, 100);
	ck_assert_errno(ENOTTY);
	ck_assert(second < block && part > block + SIZE && part < fence);
	memset(part, 0x11, 100);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_int_eq(heap_free(heap, part), 0);
	memset(bheap_alloc(heap, 10 * SIZE), 0x11, 10 * SIZE);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_uint_eq(faults.count, 0);
	bheap_destroy(heap);
}
END_TEST

/* What was never in use stays inaccessible, and the request is refused; a smaller one is not. */
START_TEST(an_end_that_cannot_be_opened)
{
	bheap_t *heap = bheap_create(128 * SIZE, BHEAP_GUARD);
	char *block;

	system_is.no_protection = true;
	errno = 0;
	block = bheap_alloc(heap, 64 * SIZE);
	if (!is_watched()) { /* under tools nothing is closed */
		ck_assert_ptr_null(block);
		ck_assert_errno(ENOMEM);
	}
	ck_assert_int_eq(heap_free(heap, bheap_alloc(heap, SIZE)), 0);
	system_is.no_protection = false;
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert(!block || !heap_free(heap, block));
	block = bheap_alloc(heap, 64 * SIZE);
	ck_assert_ptr_nonnull(block);
	memset(block, 0x11, 64 * SIZE);
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	ck_assert_uint_eq(faults.count, 0);
	bheap_destroy(heap);
}
END_TEST

/* Processes of one system without namespaces may share owners' numbers; others may not join. */
START_TEST(no_process_namespace)
{
	bheap_t *heap, *second;

	system_is.no_status = true;
	heap = path_heap(SIZE, BHEAP_OWNED);
	ck_assert_uint_eq(heap->shared->pid_namespace, 0);
	second = bheap_open(path, 0, O_RDWR, 0, 0);
	ck_assert_ptr_nonnull(second);
	bheap_close(second);
	system_is.no_status = false;
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EBUSY);
	bheap_close(heap);
}
END_TEST

static int allocate(void *arg)
{
	return bheap_alloc(arg, 100) ? 0 : 1;
}

/* A process of another user, say, with the number of one that has ended: it may be anyone's. */
START_TEST(a_process_that_may_not_be_asked_about)
{
	bheap_t *heap = path_heap(SIZE, BHEAP_OWNED);
	struct rlimit none, before;
	struct child child;

	child_run(&child, allocate, heap);
	child_assert_exited(&child, 0);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){0, before.rlim_max};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	system_is.no_kill = true;
	ck_assert_int_eq(bheap_reclaim(heap), 0);
	system_is.no_kill = false;
	ck_assert_int_eq(bheap_reclaim(heap), 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	bheap_close(heap);
}
END_TEST

/* Dead, not yet reaped, and no memory to be told so: taken to live. */
START_TEST(a_process_that_cannot_be_asked_about)
{
	bheap_t *heap = path_heap(SIZE, BHEAP_OWNED);
	siginfo_t info;
	pid_t pid = fork();

	if (!pid)
		child_exit(allocate(heap));
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	system_is.no_poll = true;
	ck_assert_int_eq(bheap_reclaim(heap), 0);
	system_is.no_poll = false;
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(bheap_reclaim(heap), 1);
	bheap_close(heap);
}
END_TEST

/* POSIX lets a lock that is held be refused with either errno. */
START_TEST(a_lock_that_is_held_is_no_access)
{
	bool sole = true;
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	system_is.no_lock = true;
	ck_assert_int_eq(bh_file_is_sole_opener(fd, &sole), 0);
	ck_assert(!sole);
	system_is.no_lock = false;
	ck_assert_int_eq(bh_file_is_sole_opener(fd, &sole), 0);
	ck_assert(sole);
	close(fd);
}
END_TEST

START_TEST(reserving_is_interrupted)
{
	bheap_t *heap;

	system_is.interrupted = 3;
	heap = path_heap(SIZE, BHEAP_PREALLOCATE);
	ck_assert_uint_eq(system_is.interrupted, 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, SIZE / 2));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_close(heap);
}
END_TEST

/* A trimmed heap, whose file lost storage in a live block before a free one that needs none. */
START_TEST(a_part_that_has_no_room)
{
	size_t size = (size_t)1 << 20, hole = (size_t)64 * 1024;
	bheap_t *heap = path_heap(size, 0);
	void *block;
	int fd;

	ck_assert_ptr_nonnull(bheap_alloc(heap, 3 * hole));
	block = bheap_alloc(heap, 4 * hole);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	ck_assert_int_eq(heap_free(heap, block), 0);
	ck_assert_uint_gt(bheap_trim(heap), 0);
	bheap_close(heap);
	fd = open(path, O_RDWR);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)hole, (off_t)hole) ==
	    0) {
		for (int round = 0; round < 2; round++) {
			system_is.full = round ? EDQUOT : ENOSPC;
			system_is.interrupted = 2;
			errno = 0;
			ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
			ck_assert_errno(ENOSPC);
			ck_assert_uint_eq(system_is.interrupted, 0);
		}
		system_is.full = 0;
		bheap_close(path_heap(size, 0));
	}
	close(fd);
}
END_TEST

/* Nothing written, and no error: there is no room. */
START_TEST(a_write_of_nothing)
{
	system_is.no_write = true;
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOSPC);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* errno tells of what went wrong first. */
START_TEST(what_cannot_be_undone)
{
	system_is.no_attach_lock = true;
	system_is.spoils_errno = true;
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOLCK);
	system_is.no_attach_lock = false;
	system_is.no_mapping = true;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOMEM);
	system_is.no_mapping = false;
	system_is.no_protection = true;
	errno = 0;
	ck_assert_ptr_null(bheap_create(SIZE, 0));
	ck_assert_errno(ENOMEM);
	system_is.no_protection = false;
	bheap_close(path_heap(SIZE, 0));
}
END_TEST

/* Without a watch on forks a lock could not be trusted: no heap that has one is made. */
static int make_without_forks(void)
{
	bheap_t *heap;

	system_is.spoils_errno = true;
	if (bheap_create(SIZE, 0) || errno != ENOMEM)
		return 1;
	errno = 0;
	if (bheap_open("test-without-forks.heap", SIZE, O_RDWR | O_CREAT, 0600, 0) ||
	    errno != ENOMEM)
		return 2;
	if (access("test-without-forks.heap", F_OK) == 0)
		return 3;
	heap = bheap_create(SIZE, BHEAP_UNLOCKED);
	return heap && bheap_alloc(heap, 100) && bheap_destroy(heap) == 0 ? 0 : 4;
}

struct run {
	const char *name, *value; /* of the variable that is set */
};

static int run_again(void *arg)
{
	const struct run *run = arg;

	setenv(run->name, run->value, 1);
	execl("/proc/self/exe", "test_rare", (char *)NULL);
	return 9;
}

static void run_and_expect(struct run run)
{
	struct child child;

	if (is_emulated() || is_watched()) /* another program would run */
		return;
	child_run(&child, run_again, &run);
	child_assert_exited(&child, 0);
}

START_TEST(forks_cannot_be_watched)
{
	run_and_expect((struct run){WITHOUT_FORKS, "1"});
}
END_TEST

/*
 * By a pointer: a fork that the compiler sees is one after which a build that counts what is
 * reached begins anew, without what the handlers of forks reached.
 */
static pid_t (*volatile const fork_seen_by_handlers)(void) = fork;

/* Uses a heap that is a copy, made while its lock was held, and has a copy made of that one. */
static int use_copies(bheap_t *heap, int copies)
{
	enum bh_lock_result held;
	int status;
	pid_t pid;

	if (!copies)
		return 0;
	held = bh_lock_hold(&heap->lock);
	pid = fork_seen_by_handlers();
	if (!pid) {
		alarm(10);
		if (!bheap_alloc(heap, 100) || bheap_check(heap, NULL) || faults.count != 1)
			child_exit(2);
		faults.count = 0;
		child_exit(use_copies(heap, copies - 1));
	}
	bh_lock_release(&heap->lock);
	if (held != BH_LOCK_HELD || waitpid(pid, &status, 0) != pid)
		return 3;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

static int use_without_wiping(void)
{
	bheap_t *heap = bheap_create(SIZE, 0);

	faults_expect(&faults);
	return heap ? use_copies(heap, 3) : 1;
}

/* That a process is another than before is known without the page that the kernel wipes, too. */
START_TEST(no_page_is_wiped)
{
	static const char *const ways[] = {"no page", "refused", "ignored"};

	run_and_expect((struct run){WITHOUT_WIPING, ways[_i]});
}
END_TEST

/* ---- others, meanwhile ---- */

START_TEST(which_file_a_name_means)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600), other = open("/dev/null", O_RDWR);

	ck_assert(bh_file_is_at(fd, path));
	ck_assert(!bh_file_is_at(other, path));
	system_is.device = 12345;
	ck_assert(!bh_file_is_at(fd, path));
	system_is.device = 0;
	system_is.no_descriptor = true;
	ck_assert(!bh_file_is_at(fd, path));
	system_is.no_descriptor = false;
	ck_assert(!bh_file_is_at(fd, "/bheap-shared-memory"));
	ck_assert_int_eq(rename(path, "test-rare-moved.heap"), 0);
	ck_assert(!bh_file_is_at(fd, path));
	close(open(path, O_RDWR | O_CREAT, 0600));
	ck_assert(!bh_file_is_at(fd, path));
	ck_assert(bh_file_is_at(fd, "test-rare-moved.heap"));
	unlink("test-rare-moved.heap");
	close(fd);
	close(other);
}
END_TEST

/* The name is there when it must not be, and cannot be opened when it may. */
START_TEST(a_file_that_may_not_be_opened)
{
	bool created = true;

	ck_assert_int_eq(mkdir(path, 0700), 0);
	errno = 0;
	ck_assert_int_eq(bh_file_open(path, O_RDWR | O_CREAT, 0600, &created), -1);
	ck_assert_errno(EISDIR);
	ck_assert(!created);
	ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

static void name_remove(void)
{
	ck_assert_int_eq(bh_file_unlink(path), 0);
}

static void name_make(void)
{
	bool created = false;
	int fd = bh_file_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &created);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* Where the name is of shared memory: of no file in the folder of this test. */
static void name_is_of_memory(bool is)
{
	static char name[64];

	if (!is)
		return;
	snprintf(name, sizeof(name), "/bheap-test-rare-%ju", (uintmax_t)getpid());
	path = name;
	bh_file_unlink(path);
}

/* There when a file was to be made, gone when it was to be opened: made after all. */
START_TEST(a_name_that_comes_and_goes)
{
	bool created = false;
	struct stat status;
	int fd;

	name_is_of_memory(_i);
	name_make();
	system_is.opening = name_remove;
	fd = bh_file_open(path, O_RDWR | O_CREAT, 0600, &created);
	ck_assert_int_ge(fd, 0);
	ck_assert(created);
	ck_assert_int_eq(fstat(fd, &status), 0);
	ck_assert_uint_eq(status.st_nlink, 1);
	ck_assert_int_eq(bh_file_unlink(path), 0);
	ck_assert_int_eq(fstat(fd, &status), 0);
	ck_assert_uint_eq(status.st_nlink, 0);
	close(fd);
}
END_TEST

/* Gone when it was to be opened, and there when it is looked at: no link that leads to nothing. */
START_TEST(a_name_that_goes_and_comes)
{
	bool created = true;
	int fd;

	name_make();
	system_is.vanished = true;
	fd = bh_file_open(path, O_RDWR | O_CREAT, 0600, &created);
	ck_assert(!system_is.vanished);
	ck_assert_int_ge(fd, 0);
	ck_assert(!created);
	ck_assert(bh_file_is_at(fd, path));
	close(fd);
}
END_TEST

static int lock_to_read(int kind)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_len = 1};
	int fd = open(path, O_RDONLY);

	ck_assert_int_eq(fcntl(fd, kind, &lock), 0);
	return fd;
}

/* Who may only read keeps those waiting that write: half a minute, and the report names it. */
START_TEST(a_reader_that_keeps_the_open_lock)
{
	int ready[2];
	char byte, holder[40];
	pid_t pid;

	bheap_close(path_heap(SIZE, 0));
	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		lock_to_read(_i ? F_OFD_SETLK : F_SETLK);
		require(write(ready[1], "", 1) == 1);
		pause();
	}
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	system_is.no_nap = true;
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EBUSY);
	ck_assert_int_ge(system_is.napped, INT64_C(30) * 1000000000);
	ck_assert_int_le(system_is.napped, INT64_C(31) * 1000000000);
	ck_assert_uint_eq(faults.count, 1);
	snprintf(holder, sizeof(holder), _i ? "another process has" : "process %d has", (int)pid);
	ck_assert_msg(strstr(faults.last.text, holder), "it says: %s", faults.last.text);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	bheap_close(path_heap(SIZE, 0));
	close(ready[0]);
	close(ready[1]);
}
END_TEST

/* The second lock that an opening takes may be another process's, too, and is reported. */
START_TEST(an_attach_lock_that_is_kept)
{
	bheap_close(path_heap(SIZE, 0));
	system_is.attach_lock_taken = system_is.no_nap = true;
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, 0, O_RDWR, 0, 0));
	ck_assert_errno(EBUSY);
	ck_assert_uint_eq(faults.count, 1);
	ck_assert_int_eq(faults.last.kind, BHEAP_FAULT_BAD_FILE);
	ck_assert_msg(strstr(faults.last.text, "another process has a lock on it"), "it says: %s",
		      faults.last.text);
	system_is.attach_lock_taken = false;
	bheap_close(path_heap(SIZE, 0));
}
END_TEST

/* A process that opens the heap at that moment has the open lock. */
START_TEST(a_reset_that_waits_for_a_lock)
{
	bheap_t *heap = path_heap(SIZE, 0);

	system_is.locks_taken = 3;
	system_is.no_nap = true;
	errno = 0;
	ck_assert_int_eq(bheap_reset(heap), 0);
	ck_assert_errno(0);
	ck_assert_uint_eq(system_is.locks_taken, 0);
	bheap_close(heap);
}
END_TEST

/*
 * A creator that failed removes the name of its empty file while another waits for it, which begins
 * anew.
 */
START_TEST(a_name_that_goes_while_the_open_lock_is_held)
{
	bheap_t *heap;

	if (_i)
		bheap_close(path_heap(SIZE, 0));
	system_is.open_locking = name_remove;
	heap = path_heap(SIZE, 0);
	ck_assert_ptr_null(system_is.open_locking);
	ck_assert(bh_file_is_at(heap->region.fd, path));
	bheap_close(heap);
}
END_TEST

static void name_take(void)
{
	name_remove();
	name_make();
}

/*
 * Gone, or another's, when the kernel is asked with O_CREAT whether it may be opened: what the name
 * leads to then is opened, and taken for another's.
 */
START_TEST(a_name_that_leads_elsewhere_the_second_time)
{
	size_t descriptors = descriptors_count();
	bool created = true;
	int fd;

	name_make();
	system_is.opening_again = _i ? name_remove : name_take;
	fd = bh_file_open(path, O_RDWR | O_CREAT, 0600, &created);
	ck_assert_ptr_null(system_is.opening_again);
	ck_assert_int_ge(fd, 0);
	ck_assert(!created);
	ck_assert(bh_file_is_at(fd, path));
	ck_assert_uint_eq(descriptors_count(), descriptors + 1);
	close(fd);
}
END_TEST

/* The file that was made has another name now. */
static void name_move(void)
{
	ck_assert_int_eq(rename(path, "test-rare-moved.heap"), 0);
	close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
}

static void descriptor_spoil(void)
{
	system_is.no_descriptor = true;
}

/* A heap that could not be made takes its name with it; the file of someone else keeps his. */
START_TEST(a_name_that_is_taken_meanwhile)
{
	static void (*const others[])(void) = {name_take, descriptor_spoil, name_move};
	struct stat status;

	system_is.reserving = others[_i];
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOSPC);
	system_is.no_descriptor = false;
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_size, 0);
	unlink("test-rare-moved.heap");
}
END_TEST

/* A heap that could not be made, and whose name is gone already or another's, for shared memory
 * too. */
START_TEST(a_name_that_is_gone_meanwhile)
{
	size_t descriptors = descriptors_count();
	bool is_taken = _i / 2;

	name_is_of_memory(_i % 2);
	system_is.reserving = is_taken ? name_take : name_remove;
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOSPC);
	ck_assert_int_eq(bh_file_unlink(path), is_taken ? 0 : -1);
	ck_assert_uint_eq(descriptors_count(), descriptors);
}
END_TEST

static pid_t bystander;

/* Another thread forks, and its child keeps what was open. */
static void fork_bystander(void)
{
	system_is.reserving = NULL;
	bystander = fork();
	if (!bystander) {
		leaks_ignore();
		pause();
	}
}

/* The next open waits for no process. */
START_TEST(a_fork_during_an_open_that_fails)
{
	close(open(path, O_WRONLY | O_CREAT, 0600));
	system_is.reserving = fork_bystander;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOSPC);
	ck_assert_int_gt(bystander, 0);
	alarm(10);
	bheap_close(path_heap(SIZE, 0));
	kill(bystander, SIGKILL);
	waitpid(bystander, NULL, 0);
}
END_TEST

static bheap_t *forked;

static void *use_forked(void *arg)
{
	(void)arg;
	return bheap_alloc(forked, 100);
}

static pthread_t second;

/* Another thread comes while this one reinitialises the lock, and waits for that. */
static void be_joined(void)
{
	__atomic_store_n(&system_is.napped, 0, __ATOMIC_RELAXED);
	require(pthread_create(&second, NULL, use_forked, NULL) == 0);
	while (!__atomic_load_n(&system_is.napped, __ATOMIC_RELAXED))
		sched_yield();
}

static int use_when_joined(void *arg)
{
	bool was_held = pthread_spin_trylock(&forked->lock.own) != 0;
	void *block, *others;

	(void)arg;
	system_is.reinitialising = be_joined;
	block = bheap_alloc(forked, 100);
	require(!system_is.reinitialising && pthread_join(second, &others) == 0);
	return block && others && bheap_check(forked, NULL) == 0 && was_held ? 0 : 1;
}

/* Forked while inside: one of the two threads recovers the copy, once. */
START_TEST(a_lock_that_is_reinitialised_meanwhile)
{
	struct bheap_stats stats;
	struct child child;

	/* The thread sanitizer lets no child of threads make threads. */
	if (is_watched())
		return;
	threads_begin();
	forked = bheap_create(SIZE, 0);
	ck_assert_int_eq(bh_lock_acquire(&forked->lock), BH_LOCK_HELD);
	child_run(&child, use_when_joined, NULL);
	bh_lock_release(&forked->lock);
	child_assert_exited(&child, 0);
	ck_assert_int_eq(bheap_stats(forked, &stats), 0);
	ck_assert_uint_eq(stats.live_blocks, 0);
	bheap_destroy(forked);
}
END_TEST

static bheap_t *first_heap;
static size_t first_mappings;

static void other_begins(void)
{
	ck_assert_int_eq(init_heap(SIZE), 0);
	first_heap = bheap_default();
	first_mappings = mappings_count();
}

/* The default heap stays that of the thread that was first, and what the other mapped goes. */
START_TEST(two_threads_begin_at_once)
{
	system_is.mapping = other_begins;
	errno = 0;
	ck_assert_int_eq(init_heap(16 * SIZE), -1);
	ck_assert_errno(EALREADY);
	ck_assert_ptr_null(system_is.mapping);
	ck_assert_ptr_nonnull(first_heap);
	ck_assert_ptr_eq(bheap_default(), first_heap);
	ck_assert_uint_eq(mappings_count(), first_mappings);
}
END_TEST

static void user_ends(void)
{
	__atomic_store_n(&forked->lock.busy, false, __ATOMIC_RELEASE);
}

/* A thread whose own the lock is was interrupted in a call: the next one waits for its end. */
START_TEST(a_lock_whose_user_was_interrupted)
{
	threads_begin();
	forked = bheap_create(SIZE, 0);
	forked->lock.user = (uintptr_t)&forked + BH_LOCK_BIASED;
	forked->lock.busy = true;
	system_is.napping = user_ends;
	ck_assert_ptr_nonnull(bheap_alloc(forked, 100));
	ck_assert_ptr_null(system_is.napping);
	ck_assert(!(forked->lock.user & BH_LOCK_BIASED));
	bheap_destroy(forked);
}
END_TEST

/* No thread of the copy would release what is locked meanwhile. */
static void fork_and_use(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		alarm(10);
		child_exit(bheap_alloc(forked, 100) && bheap_check(forked, NULL) == 0 ? 0 : 1);
	}
	require(waitpid(pid, &status, 0) == pid);
	require(status == 0);
}

static int use_and_fork(void *arg)
{
	void *block;

	(void)arg;
	system_is.reinitialising = fork_and_use;
	block = bheap_alloc(forked, 100);
	return block && !system_is.reinitialising ? 0 : 1;
}

START_TEST(a_fork_while_a_lock_is_reinitialised)
{
	struct child child;

	if (is_watched())
		return;
	forked = bheap_create(SIZE, 0);
	child_run(&child, use_and_fork, NULL);
	child_assert_exited(&child, 0);
	bheap_destroy(forked);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite;

	if (getenv(WITHOUT_FORKS))
		return make_without_forks();
	if (getenv(WITHOUT_WIPING))
		return use_without_wiping();
	suite = suite_of("rare", &tcase, 20);
	tcase_add_checked_fixture(tcase, setup, path_remove);
	tcase_add_test(tcase, no_random_word);
	tcase_add_test(tcase, pages_that_cannot_be_closed);
	tcase_add_test(tcase, pages_that_cannot_be_opened_alone);
	tcase_add_test(tcase, an_end_that_cannot_be_opened);
	tcase_add_test(tcase, no_process_namespace);
	tcase_add_test(tcase, a_process_that_may_not_be_asked_about);
	tcase_add_test(tcase, a_process_that_cannot_be_asked_about);
	tcase_add_test(tcase, a_lock_that_is_held_is_no_access);
	tcase_add_test(tcase, reserving_is_interrupted);
	tcase_add_test(tcase, a_write_of_nothing);
	tcase_add_test(tcase, a_part_that_has_no_room);
	tcase_add_test(tcase, what_cannot_be_undone);
	tcase_add_test(tcase, forks_cannot_be_watched);
	tcase_add_loop_test(tcase, no_page_is_wiped, 0, 3);
	tcase_add_test(tcase, which_file_a_name_means);
	tcase_add_test(tcase, a_file_that_may_not_be_opened);
	tcase_add_loop_test(tcase, a_name_that_comes_and_goes, 0, 2);
	tcase_add_test(tcase, a_name_that_goes_and_comes);
	tcase_add_loop_test(tcase, a_name_that_leads_elsewhere_the_second_time, 0, 2);
	tcase_add_loop_test(tcase, a_name_that_goes_while_the_open_lock_is_held, 0, 2);
	tcase_add_loop_test(tcase, a_reader_that_keeps_the_open_lock, 0, 2);
	tcase_add_test(tcase, an_attach_lock_that_is_kept);
	tcase_add_test(tcase, a_reset_that_waits_for_a_lock);
	tcase_add_loop_test(tcase, a_name_that_is_taken_meanwhile, 0, 3);
	tcase_add_loop_test(tcase, a_name_that_is_gone_meanwhile, 0, 4);
	tcase_add_test(tcase, a_fork_during_an_open_that_fails);
	tcase_add_test(tcase, a_lock_that_is_reinitialised_meanwhile);
	tcase_add_test(tcase, two_threads_begin_at_once);
	tcase_add_test(tcase, a_lock_whose_user_was_interrupted);
	tcase_add_test(tcase, a_fork_while_a_lock_is_reinitialised);
	return suite_run(suite);
}
