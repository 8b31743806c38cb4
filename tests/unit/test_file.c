/* SPDX-License-Identifier: MIT */
/*
 * test_file.c - files by name and by descriptor, and the two locks that tell whether others are
 * attached: held by a description, seen from other descriptions and processes, gone with a death.
 */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "os/file.h"

static const char *path;
static bool created;

static void setup(void)
{
	path = path_make();
}

static int file_open(int oflag)
{
	return bh_file_open(path, oflag, 0600, &created);
}

START_TEST(made_once_and_opened_after)
{
	int first = file_open(O_RDWR | O_CREAT), second;
	struct stat status;

	ck_assert_int_ge(first, 0);
	ck_assert(created);
	ck_assert_int_ne(fcntl(first, F_GETFD) & FD_CLOEXEC, 0);
	second = file_open(O_RDWR | O_CREAT);
	ck_assert_int_ge(second, 0);
	ck_assert(!created);
	ck_assert_int_eq(file_open(O_RDWR | O_CREAT | O_EXCL), -1);
	ck_assert_errno(EEXIST);
	ck_assert(!created);
	ck_assert_int_eq(fstat(first, &status), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0600);
	ck_assert_int_eq(bh_file_close(first), 0);
	ck_assert_int_eq(bh_file_close(second), 0);
	ck_assert_int_eq(bh_file_unlink(path), 0);
	ck_assert_int_eq(bh_file_unlink(path), -1);
	ck_assert_errno(ENOENT);
}
END_TEST

/* The file that a link leads to is made, as open(2) does; the link is not removed. */
START_TEST(a_link_to_nothing)
{
	char link[64];
	int fd;

	snprintf(link, sizeof(link), "%s.link", path);
	ck_assert_int_eq(symlink(path, link), 0);
	fd = bh_file_open(link, O_RDWR | O_CREAT, 0600, &created);
	ck_assert_int_ge(fd, 0);
	ck_assert(!created);
	ck_assert(bh_file_is_at(fd, path));
	close(fd);
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_int_eq(symlink("no/such/folder", link), 0);
	ck_assert_int_eq(bh_file_open(link, O_RDWR | O_CREAT, 0600, &created), -1);
	ck_assert_errno(ENOENT);
	ck_assert_int_eq(unlink(link), 0);
	ck_assert_int_eq(symlink(link, link), 0);
	ck_assert_int_eq(bh_file_open(link, O_RDWR | O_CREAT, 0600, &created), -1);
	ck_assert_errno(ELOOP);
	ck_assert_int_eq(unlink(link), 0);
}
END_TEST

START_TEST(what_is_not_there_is_not_made)
{
	ck_assert_int_eq(file_open(O_RDWR), -1);
	ck_assert_errno(ENOENT);
	ck_assert_int_eq(bh_file_open("./no/such/folder/x", O_RDWR | O_CREAT, 0600, &created), -1);
	ck_assert_errno(ENOENT);
	ck_assert_int_eq(bh_file_open(".", O_RDWR, 0600, &created), -1);
	ck_assert_errno(EISDIR);
}
END_TEST

/* One slash, at the start: shared memory; "/" alone and deeper paths: files. */
START_TEST(names_of_shared_memory)
{
	char name[64], file[96];
	int fd;

	snprintf(name, sizeof(name), "/bheap-test-%ju", (uintmax_t)getpid());
	snprintf(file, sizeof(file), "/dev/shm%s", name);
	fd = bh_file_open(name, O_RDWR | O_CREAT, 0600, &created);
	ck_assert_int_ge(fd, 0);
	ck_assert(created);
	ck_assert_int_eq(access(file, F_OK), 0);
	bh_file_close(fd);
	ck_assert_int_eq(bh_file_unlink(name), 0);
	ck_assert_int_eq(access(file, F_OK), -1);
	ck_assert_int_eq(bh_file_open("/", O_RDWR, 0600, &created), -1);
	ck_assert_errno(EISDIR);
}
END_TEST

START_TEST(another_description)
{
	int fd = file_open(O_RDWR | O_CREAT), reader = open(path, O_RDONLY), other;
	int writer = open(path, O_WRONLY);
	bool writable;

	other = bh_file_reopen(fd, &writable);
	ck_assert_int_ge(other, 0);
	ck_assert(writable);
	ck_assert_int_ne(fcntl(other, F_GETFD) & FD_CLOEXEC, 0);
	bh_file_close(other);
	other = bh_file_reopen(reader, &writable);
	ck_assert_int_ge(other, 0);
	ck_assert(!writable);
	bh_file_close(other);
	ck_assert_int_eq(bh_file_reopen(writer, &writable), -1);
	ck_assert_errno(EACCES);
	ck_assert_int_eq(bh_file_reopen(-1, &writable), -1);
	ck_assert_errno(EBADF);
	close(fd);
	close(reader);
	close(writer);
}
END_TEST

/* One whose writer is gone is not waited for. */
START_TEST(another_description_of_a_fifo)
{
	bool writable;
	int fd, other;

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	other = bh_file_reopen(fd, &writable);
	ck_assert_int_ge(other, 0);
	ck_assert(!writable);
	close(other);
	close(fd);
}
END_TEST

START_TEST(read_write_and_size)
{
	int fd = file_open(O_RDWR | O_CREAT);
	char into[16] = "";
	bool named;

	ck_assert_int_eq(bh_file_size(fd, &named), 0);
	ck_assert(named);
	ck_assert(bh_file_write(fd, "heap", 4));
	ck_assert_int_eq(bh_file_size(fd, &named), 4);
	ck_assert_int_eq(bh_file_read(fd, into, 4), 4);
	ck_assert_str_eq(into, "heap");
	ck_assert_int_eq(bh_file_read(fd, into, 5), 4);
	ck_assert_int_eq(bh_file_unlink(path), 0);
	ck_assert_int_eq(bh_file_size(fd, &named), 4);
	ck_assert(!named);
	close(fd);
	ck_assert_int_eq(bh_file_size(fd, &named), -1);
	ck_assert_errno(EBADF);
	ck_assert_int_eq(bh_file_read(fd, into, 4), -1);
	ck_assert_errno(EBADF);
	ck_assert(!bh_file_write(fd, into, 4));
	ck_assert_errno(EBADF);
}
END_TEST

/* Half a write is a full disk. */
START_TEST(a_write_cut_short)
{
	int fd = file_open(O_RDWR | O_CREAT);
	struct rlimit before, little;
	bool whole;
	int error;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	little = (struct rlimit){10, before.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	/* Between the two Check itself could not write. */
	setrlimit(RLIMIT_FSIZE, &little);
	whole = bh_file_write(fd, "twenty bytes, or less", 20);
	error = errno;
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert(!whole);
	errno = error;
	ck_assert_errno(ENOSPC);
	errno = ENOTTY;
	ck_assert(bh_file_write(fd, "twenty bytes, or less", 20));
	ck_assert_errno(ENOTTY);
	close(fd);
}
END_TEST

/* A size beyond the limit is refused before a signal would end the program. */
START_TEST(sizes_beyond_the_limit)
{
	struct rlimit before, little;
	bool at_limit, beyond;
	int error;

	ck_assert(bh_file_may_have_size(BHEAP_SIZE_MAX));
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	little = (struct rlimit){4096, before.rlim_max};
	setrlimit(RLIMIT_FSIZE, &little);
	at_limit = bh_file_may_have_size(4096);
	beyond = bh_file_may_have_size(4097);
	error = errno;
	setrlimit(RLIMIT_FSIZE, &before);
	ck_assert(at_limit);
	ck_assert(!beyond);
	errno = error;
	ck_assert_errno(EFBIG);
}
END_TEST

/* Storage is told from holes in files alone. */
START_TEST(what_has_no_holes)
{
	int fd = file_open(O_RDWR | O_CREAT), ends[2];

	ck_assert(bh_file_is_hole(fd));
	ck_assert(bh_file_write(fd, "heap", 4));
	ck_assert(!bh_file_is_hole(fd));
	close(fd);
	ck_assert(!bh_file_is_hole(fd));
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert(!bh_file_is_hole(ends[0]));
	close(ends[0]);
	close(ends[1]);
}
END_TEST

static bool is_alone(int fd)
{
	bool sole;

	ck_assert_int_eq(bh_file_is_sole_opener(fd, &sole), 0);
	return sole;
}

START_TEST(a_question_that_fails)
{
	int fd = file_open(O_RDWR | O_CREAT), reader = open(path, O_RDONLY);
	bool sole = true;

	close(fd);
	ck_assert_int_eq(bh_file_is_sole_opener(fd, &sole), -1);
	ck_assert_errno(EBADF);
	ck_assert(!sole);
	ck_assert_int_eq(bh_file_is_sole_opener(reader, &sole), -1);
	ck_assert_errno(EBADF);
	close(reader);
}
END_TEST

/* Attached: another is not the sole opener; two may stay; the last is the sole one again. */
START_TEST(attach_lock)
{
	int first = file_open(O_RDWR | O_CREAT), second = file_open(O_RDWR);

	ck_assert(is_alone(first));
	ck_assert(!is_alone(second));
	ck_assert_int_eq(bh_file_lock_attach(first), 0);
	ck_assert(!is_alone(second));
	ck_assert_int_eq(bh_file_lock_attach(second), 0);
	ck_assert(!is_alone(first));
	bh_file_close(first);
	ck_assert(is_alone(second));
	bh_file_close(second);
}
END_TEST

/* Holds the open lock, says so through a pipe, and waits to be killed. */
static pid_t holder_start(void (*hold)(int fd))
{
	int told[2];
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(told), 0);
	pid = fork();
	if (!pid) {
		hold(file_open(O_RDWR));
		if (write(told[1], "x", 1) == 1)
			pause();
		child_exit(1);
	}
	ck_assert_int_eq(read(told[0], &byte, 1), 1);
	close(told[0]);
	close(told[1]);
	return pid;
}

static void holder_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

static void stay(int fd)
{
	bh_file_lock_attach(fd);
}

static void gate_shut(int fd)
{
	bh_file_lock_open(fd, true);
}

START_TEST(the_attach_lock_ends_with_a_death)
{
	int fd = file_open(O_RDWR | O_CREAT);
	pid_t pid = holder_start(stay);

	ck_assert(!is_alone(fd));
	holder_kill(pid);
	ck_assert(is_alone(fd));
	close(fd);
}
END_TEST

/*
 * Killed if it must wait. Valgrind holds back every signal but SIGKILL while a lock is waited for.
 */
static int gate_pass(void *arg)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	struct itimerspec second = {.it_value.tv_sec = 1};
	timer_t timer;

	(void)arg;
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &second, NULL))
		return 2;
	return bh_file_lock_open(file_open(O_RDWR), true);
}

START_TEST(open_lock)
{
	int fd = file_open(O_RDWR | O_CREAT), reader = open(path, O_RDONLY),
	    other = open(path, O_RDONLY);
	struct child child;
	pid_t pid;

	ck_assert_int_eq(bh_file_lock_open(fd, true), 0);
	child_run(&child, gate_pass, NULL);
	child_assert_killed(&child, SIGKILL);
	bh_file_unlock_open(fd);
	child_run(&child, gate_pass, NULL);
	child_assert_exited(&child, 0);
	pid = holder_start(gate_shut);
	holder_kill(pid);
	child_run(&child, gate_pass, NULL);
	child_assert_exited(&child, 0);
	/* Readers pass together; they could not shut it if they wanted to. */
	ck_assert_int_eq(bh_file_lock_open(reader, false), 0);
	ck_assert_int_eq(bh_file_lock_open(other, false), 0);
	child_run(&child, gate_pass, NULL);
	child_assert_killed(&child, SIGKILL);
	ck_assert_int_eq(bh_file_lock_open(-1, true), -1);
	ck_assert_errno(EBADF);
	close(fd);
	close(reader);
	close(other);
}
END_TEST

static void on_alarm(int signal)
{
	(void)signal;
}

/* A signal that is handled does not end the wait. */
START_TEST(the_open_lock_waits_through_signals)
{
	struct sigaction action = {.sa_handler = on_alarm};
	int fd = file_open(O_RDWR | O_CREAT);
	pid_t pid = holder_start(gate_shut), killer;

	sigaction(SIGUSR1, &action, NULL);
	killer = fork();
	if (!killer) {
		for (int round = 0; round < 5; round++) {
			usleep(20000);
			kill(getppid(), SIGUSR1);
		}
		kill(pid, SIGKILL);
		child_exit(0);
	}
	ck_assert_int_eq(bh_file_lock_open(fd, true), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	waitpid(killer, NULL, 0);
	close(fd);
}
END_TEST

START_TEST(an_open_lock_without_a_holder)
{
	int fd = bh_file_open(path, O_RDWR | O_CREAT, 0600, &created);

	ck_assert_int_eq(bh_file_open_lock_holder(fd), 0);
	ck_assert_int_eq(bh_file_lock_open(fd, true), 0);
	ck_assert_int_eq(bh_file_open_lock_holder(fd), 0);
	close(fd);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("file", &tcase, 20);

	tcase_add_checked_fixture(tcase, setup, path_remove);
	tcase_add_test(tcase, made_once_and_opened_after);
	tcase_add_test(tcase, a_link_to_nothing);
	tcase_add_test(tcase, what_is_not_there_is_not_made);
	tcase_add_test(tcase, names_of_shared_memory);
	tcase_add_test(tcase, another_description);
	tcase_add_test(tcase, another_description_of_a_fifo);
	tcase_add_test(tcase, read_write_and_size);
	tcase_add_test(tcase, a_write_cut_short);
	tcase_add_test(tcase, sizes_beyond_the_limit);
	tcase_add_test(tcase, what_has_no_holes);
	tcase_add_test(tcase, a_question_that_fails);
	tcase_add_test(tcase, attach_lock);
	tcase_add_test(tcase, the_attach_lock_ends_with_a_death);
	tcase_add_test(tcase, open_lock);
	tcase_add_test(tcase, the_open_lock_waits_through_signals);
	tcase_add_test(tcase, an_open_lock_without_a_holder);
	return suite_run(suite);
}
