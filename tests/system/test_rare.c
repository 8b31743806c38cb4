/* SPDX-License-Identifier: MIT */
/*
 * test_rare.c - what the system answers seldom, or not on this machine, and what others do
 * between two calls of one operation. The linker's --wrap puts the functions below between the
 * library and the C library.
 */
#include "wraps.h"

#include "support.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
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

#define SIZE (64 * 1024)
#define WITHOUT_FORKS "BHEAP_TEST_WITHOUT_FORKS" /* this program is run again with that set */

static struct {
	bool no_random, no_status, no_kill, no_poll, no_lock, no_descriptor, no_presence, no_write;
	bool no_protection, no_mapping;
	bool spoils_errno;       /* what ends a mapping, closes or cuts a file */
	unsigned interrupted;    /* so often is storage not reserved yet */
	void (*reserving)(void); /* done first, then the disk is full */
	void (*opening)(void);   /* done before a file that is there is opened */
	void (*gating)(void);    /* done before the gate is entered */
	void (*locking)(void);   /* done before the next lock is taken */
	void (*renewing)(void);  /* done before the next lock is made */
	dev_t device;            /* where files seem to be, or 0 */
} plan;

static const char *path;
static struct faults faults;

/* ---- what stands in for the system ---- */

unsigned long __real_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type);
unsigned long __wrap_getauxval(unsigned long type)
{
	return plan.no_random && type == AT_RANDOM ? 0 : __real_getauxval(type);
}

int __real_stat(const char *name, struct stat *status);
int __wrap_stat(const char *name, struct stat *status);
int __wrap_stat(const char *name, struct stat *status)
{
	int result = __real_stat(name, status);

	if (plan.device)
		status->st_dev = plan.device;
	return plan.no_status ? -1 : result;
}

int __real_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status);
int __wrap_fstat(int fd, struct stat *status)
{
	return plan.no_descriptor ? -1 : __real_fstat(fd, status);
}

int __real_open(const char *name, int oflag, ...);
int __wrap_open(const char *name, int oflag, ...);
int __wrap_open(const char *name, int oflag, ...)
{
	void (*first)(void) = oflag & O_CREAT ? NULL : plan.opening;
	mode_t mode = 0;
	va_list rest;

	va_start(rest, oflag);
	if (oflag & O_CREAT)
		mode = va_arg(rest, mode_t);
	va_end(rest);
	if (first) {
		plan.opening = NULL;
		first();
	}
	return __real_open(name, oflag, mode);
}

int __real_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number);
int __wrap_kill(pid_t pid, int number)
{
	if (!plan.no_kill)
		return __real_kill(pid, number);
	errno = EPERM;
	return -1;
}

int __real_poll(struct pollfd *files, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *files, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *files, nfds_t count, int timeout)
{
	if (!plan.no_poll)
		return __real_poll(files, count, timeout);
	errno = ENOMEM;
	return -1;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list rest;
	void *arg;

	va_start(rest, command);
	arg = va_arg(rest, void *);
	va_end(rest);
	if (plan.gating && command == F_OFD_SETLKW) {
		plan.gating();
		plan.gating = NULL;
	}
	if (plan.no_lock && command == F_OFD_SETLK) {
		errno = EACCES;
		return -1;
	}
	if (plan.no_presence && command == F_OFD_SETLKW && ((struct flock *)arg)->l_start) {
		errno = ENOLCK;
		return -1;
	}
	return __real_fcntl(fd, command, arg);
}

int __real_munmap(void *start, size_t size);
int __wrap_munmap(void *start, size_t size);
int __wrap_munmap(void *start, size_t size)
{
	int result = __real_munmap(start, size);

	errno = plan.spoils_errno ? EIO : errno;
	return result;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	int result = __real_close(fd);

	errno = plan.spoils_errno ? EIO : errno;
	return result;
}

int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size)
{
	int result = __real_ftruncate(fd, size);

	errno = plan.spoils_errno ? EIO : errno;
	return result;
}

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (!plan.no_mapping || fd < 0)
		return __real_mmap(at, size, protection, flags, fd, offset);
	errno = ENOMEM;
	return MAP_FAILED;
}

int __real_mprotect(void *start, size_t size, int protection);
int __wrap_mprotect(void *start, size_t size, int protection);
int __wrap_mprotect(void *start, size_t size, int protection)
{
	if (!plan.no_protection)
		return __real_mprotect(start, size, protection);
	errno = ENOMEM;
	return -1;
}

ssize_t __real_pwrite(int fd, const void *from, size_t size, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t size, off_t at);
ssize_t __wrap_pwrite(int fd, const void *from, size_t size, off_t at)
{
	return plan.no_write ? 0 : __real_pwrite(fd, from, size, at);
}

int __real_posix_fallocate(int fd, off_t from, off_t size);
int __wrap_posix_fallocate(int fd, off_t from, off_t size);
int __wrap_posix_fallocate(int fd, off_t from, off_t size)
{
	if (plan.reserving) {
		plan.reserving();
		return ENOSPC;
	}
	if (plan.interrupted) {
		plan.interrupted--;
		return EINTR;
	}
	return __real_posix_fallocate(fd, from, size);
}

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	void (*first)(void) = plan.locking;

	plan.locking = NULL;
	if (first)
		first();
	return __real_pthread_mutex_lock(mutex);
}

int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
	void (*first)(void) = plan.renewing;

	plan.renewing = NULL;
	if (first)
		first();
	return __real_pthread_mutex_init(mutex, attributes);
}

/* Called when the program is loaded. */
int __real_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int __wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	return getenv(WITHOUT_FORKS) ? ENOMEM : __real_pthread_atfork(prepare, parent, child);
}

/* ---- before and after ---- */

static void setup(void)
{
	path = path_make();
	memset(&plan, 0, sizeof(plan));
	faults_expect(&faults);
}

/* ---- the system ---- */

ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
	if (!plan.no_random)
		return __real_getrandom(buffer, size, flags);
	errno = ENOSYS;
	return -1;
}

/* Seals are weaker then, for the key is a hash of an address; they hold all the same. */
START_TEST(no_random_word)
{
	bheap_t *heap, *other;
	char *block;

	plan.no_random = true;
	heap = bheap_create(SIZE, BHEAP_GUARD);
	other = bheap_create(SIZE, BHEAP_GUARD);
	ck_assert_uint_eq(heap->key, bh_secret_derived(BH_SECRET_SEALS, heap));
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

/* Processes of one system without namespaces may share owners' numbers; others may not join. */
START_TEST(no_process_namespace)
{
	bheap_t *heap, *second;

	plan.no_status = true;
	heap = path_heap(SIZE, BHEAP_OWNED);
	ck_assert_uint_eq(heap->shared->pid_namespace, 0);
	second = bheap_open(path, 0, O_RDWR, 0, 0);
	ck_assert_ptr_nonnull(second);
	bheap_close(second);
	plan.no_status = false;
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
	plan.no_kill = true;
	ck_assert_int_eq(bheap_reclaim(heap), 0);
	plan.no_kill = false;
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
	plan.no_poll = true;
	ck_assert_int_eq(bheap_reclaim(heap), 0);
	plan.no_poll = false;
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

	plan.no_lock = true;
	ck_assert_int_eq(bh_file_is_sole_opener(fd, &sole), 0);
	ck_assert(!sole);
	plan.no_lock = false;
	ck_assert_int_eq(bh_file_is_sole_opener(fd, &sole), 0);
	ck_assert(sole);
	close(fd);
}
END_TEST

START_TEST(reserving_is_interrupted)
{
	bheap_t *heap;

	plan.interrupted = 3;
	heap = path_heap(SIZE, BHEAP_PREALLOCATE);
	ck_assert_uint_eq(plan.interrupted, 0);
	ck_assert_ptr_nonnull(bheap_alloc(heap, SIZE / 2));
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
	bheap_close(heap);
}
END_TEST

/* Nothing written, and no error: there is no room. */
START_TEST(a_write_of_nothing)
{
	plan.no_write = true;
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOSPC);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* errno tells of what went wrong first. */
START_TEST(what_cannot_be_undone)
{
	plan.no_presence = true;
	plan.spoils_errno = true;
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOLCK);
	plan.no_presence = false;
	plan.no_mapping = true;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOMEM);
	plan.no_mapping = false;
	plan.no_protection = true;
	errno = 0;
	ck_assert_ptr_null(bheap_create(SIZE, 0));
	ck_assert_errno(ENOMEM);
	plan.no_protection = false;
	bheap_close(path_heap(SIZE, 0));
}
END_TEST

/* Without a watch on forks a lock could not be trusted: no heap that has one is made. */
static int make_without_forks(void)
{
	bheap_t *heap;

	plan.spoils_errno = true;
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

static int run_without_forks(void *arg)
{
	setenv(WITHOUT_FORKS, "1", 1);
	execl("/proc/self/exe", "test_seldom", (char *)NULL);
	(void)arg;
	return 9;
}

START_TEST(forks_cannot_be_watched)
{
	struct child child;

	if (is_emulated() || is_watched()) /* another program would run */
		return;
	child_run(&child, run_without_forks, NULL);
	child_assert_exited(&child, 0);
}
END_TEST

/* ---- others, meanwhile ---- */

START_TEST(which_file_a_name_means)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600), other = open("/dev/null", O_RDWR);

	ck_assert(bh_file_is_at(fd, path));
	ck_assert(!bh_file_is_at(other, path));
	plan.device = 12345;
	ck_assert(!bh_file_is_at(fd, path));
	plan.device = 0;
	plan.no_descriptor = true;
	ck_assert(!bh_file_is_at(fd, path));
	plan.no_descriptor = false;
	ck_assert(!bh_file_is_at(fd, "/bheap-shared-memory"));
	ck_assert_int_eq(rename(path, "test-seldom-moved.heap"), 0);
	ck_assert(!bh_file_is_at(fd, path));
	close(open(path, O_RDWR | O_CREAT, 0600));
	ck_assert(!bh_file_is_at(fd, path));
	ck_assert(bh_file_is_at(fd, "test-seldom-moved.heap"));
	unlink("test-seldom-moved.heap");
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
	ck_assert_int_eq(unlink(path), 0);
}

/* There when a file was to be made, gone when it was to be opened: made after all. */
START_TEST(a_name_that_comes_and_goes)
{
	bool created = false;
	int fd;

	close(open(path, O_WRONLY | O_CREAT, 0600));
	plan.opening = name_remove;
	fd = bh_file_open(path, O_RDWR | O_CREAT, 0600, &created);
	ck_assert_int_ge(fd, 0);
	ck_assert(created);
	ck_assert(bh_file_is_at(fd, path));
	close(fd);
}
END_TEST

/*
 * A maker that failed takes the name of his empty file away from who waits for him: that one begins
 * anew.
 */
START_TEST(a_name_that_goes_while_the_gate_is_closed)
{
	bheap_t *heap;

	if (_i)
		bheap_close(path_heap(SIZE, 0));
	plan.gating = name_remove;
	heap = path_heap(SIZE, 0);
	ck_assert_ptr_null(plan.gating);
	ck_assert(bh_file_is_at(heap->region.fd, path));
	bheap_close(heap);
}
END_TEST

static void name_take(void)
{
	name_remove();
	close(open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
}

static void descriptor_spoil(void)
{
	plan.no_descriptor = true;
}

/* A heap that could not be made takes its name with it; the file of someone else keeps his. */
START_TEST(a_name_that_is_taken_meanwhile)
{
	static void (*const others[])(void) = {name_take, descriptor_spoil};
	struct stat status;

	plan.reserving = others[_i];
	errno = 0;
	ck_assert_ptr_null(bheap_open(path, SIZE, O_RDWR | O_CREAT, 0600, 0));
	ck_assert_errno(ENOSPC);
	plan.no_descriptor = false;
	ck_assert_int_eq(stat(path, &status), 0);
	ck_assert_int_eq(status.st_size, 0);
}
END_TEST

static pid_t bystander;

/* Another thread forks, and its child keeps what was open. */
static void fork_bystander(void)
{
	plan.reserving = NULL;
	bystander = fork();
	if (!bystander) {
		leaks_ignore();
		pause();
	}
}

/* Who opens the file next waits for nobody. */
START_TEST(a_fork_during_an_open_that_fails)
{
	close(open(path, O_WRONLY | O_CREAT, 0600));
	plan.reserving = fork_bystander;
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

/* Another thread renews the lock while this one waits for its turn to. */
static void be_overtaken(void)
{
	pthread_t thread;
	void *block = NULL;

	require(pthread_create(&thread, NULL, use_forked, NULL) == 0);
	pthread_join(thread, &block);
	require(block);
}

static int use_when_overtaken(void *arg)
{
	bool was_held = pthread_spin_trylock(&forked->lock.own) != 0;
	void *block;

	(void)arg;
	plan.locking = be_overtaken;
	block = bheap_alloc(forked, 100);
	return block && !plan.locking && bheap_check(forked, NULL) == 0 && was_held ? 0 : 1;
}

/* Forked while inside: one of the two threads recovers the copy, once. */
START_TEST(a_lock_that_is_renewed_meanwhile)
{
	struct bheap_stats stats;
	struct child child;

	/* The thread sanitizer lets no child of threads make threads. */
	if (is_watched())
		return;
	threads_begin();
	forked = bheap_create(SIZE, 0);
	ck_assert_int_eq(bh_lock_acquire(&forked->lock), BH_LOCK_HELD);
	child_run(&child, use_when_overtaken, NULL);
	bh_lock_release(&forked->lock);
	child_assert_exited(&child, 0);
	ck_assert_int_eq(bheap_stats(forked, &stats), 0);
	ck_assert_uint_eq(stats.live_blocks, 0);
	bheap_destroy(forked);
}
END_TEST

/* Nobody in the copy would let go of what is locked meanwhile. */
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
	plan.renewing = fork_and_use;
	block = bheap_alloc(forked, 100);
	return block && !plan.renewing ? 0 : 1;
}

START_TEST(a_fork_while_a_lock_is_renewed)
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
	suite = suite_of("rare", &tcase, 20);
	tcase_add_checked_fixture(tcase, setup, path_remove);
	tcase_add_test(tcase, no_random_word);
	tcase_add_test(tcase, no_process_namespace);
	tcase_add_test(tcase, a_process_that_may_not_be_asked_about);
	tcase_add_test(tcase, a_process_that_cannot_be_asked_about);
	tcase_add_test(tcase, a_lock_that_is_held_is_no_access);
	tcase_add_test(tcase, reserving_is_interrupted);
	tcase_add_test(tcase, a_write_of_nothing);
	tcase_add_test(tcase, what_cannot_be_undone);
	tcase_add_test(tcase, forks_cannot_be_watched);
	tcase_add_test(tcase, which_file_a_name_means);
	tcase_add_test(tcase, a_file_that_may_not_be_opened);
	tcase_add_test(tcase, a_name_that_comes_and_goes);
	tcase_add_loop_test(tcase, a_name_that_goes_while_the_gate_is_closed, 0, 2);
	tcase_add_loop_test(tcase, a_name_that_is_taken_meanwhile, 0, 2);
	tcase_add_test(tcase, a_fork_during_an_open_that_fails);
	tcase_add_test(tcase, a_lock_that_is_renewed_meanwhile);
	tcase_add_test(tcase, a_fork_while_a_lock_is_renewed);
	return suite_run(suite);
}
