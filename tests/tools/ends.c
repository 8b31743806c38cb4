/* SPDX-License-Identifier: MIT */
/*
 * ends.c - a program that does what its arguments say, one after the other, for processes.sh:
 * blocks are made, privileges dropped, processes forked, and it ends in each way that there is.
 * Status 77: that cannot be done here.
 */
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT 77
#define NOBODY 65534

#define BLOCKS_MOST 5000

static char *volatile last;
static size_t last_size;
static char *blocks[BLOCKS_MOST];
static unsigned block_count;

/* Of a child in fork(2), before the handlers of what is preloaded: milliseconds, or its end. */
static unsigned late;
static int is_killed;

static void child_delay(void)
{
	if (is_killed)
		raise(SIGKILL);
	usleep(late * 1000);
}

/* Handlers of children are called in the order in which they were registered. */
static void first_register(void)
{
	pthread_atfork(NULL, NULL, child_delay);
}
static void (*const first[])(void) __attribute__((section(".preinit_array"), used)) = {
	first_register,
};

static void blocks_make(const char *text)
{
	unsigned count = 0;
	size_t size = 0;

	if (sscanf(text, "%ux%zu", &count, &size) != 2)
		_exit(2);
	last_size = size;
	while (count--) {
		char *block = malloc(size);

		if (!block)
			continue;
		last = memset(block, 1, size);
		if (block_count < BLOCKS_MOST)
			blocks[block_count++] = last;
	}
}

static void blocks_free(void)
{
	while (block_count)
		free(blocks[--block_count]);
}

/* Every second block. */
static void holes_make(void)
{
	for (unsigned index = 0; index < block_count; index += 2)
		free(blocks[index]);
}

static void all_close(void)
{
	for (int fd = STDERR_FILENO + 1; fd < (int)sysconf(_SC_OPEN_MAX) && fd < 65536; fd++)
		close(fd);
}

static void *thread_stay(void *unused)
{
	sleep(5);
	_exit(0);
	return unused;
}

/* Another thread goes on for a while. */
static void first_thread_leave(void)
{
	pthread_t other;

	if (pthread_create(&other, NULL, thread_stay, NULL) == 0)
		pthread_exit(NULL);
}

/* The child goes on, and its parent ends when it has. */
static void child_go_on(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		return;
	if (child < 0 || waitpid(child, &status, 0) != child)
		exit(CANNOT);
	exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* The child goes on in the background. */
static void parent_leave(void)
{
	if (fork() != 0)
		_exit(0);
}

static int fork_fail(void)
{
	const struct rlimit none = {0, 0};

	return setrlimit(RLIMIT_NPROC, &none) || fork() != -1;
}

/* The same without fork()'s handlers. */
static void copy_go_on(void)
{
	long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	int status;

	if (child == 0)
		return;
	if (child < 0 || waitpid((pid_t)child, &status, 0) != child)
		exit(CANNOT);
	exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void shared_child_end(void)
{
	if (vfork() == 0)
		_exit(0);
	wait(NULL);
}

static void freed_write(void)
{
	char *block = malloc(100);

	last = malloc(100); /* the one freed does not lie at the end of the heap */
	free(block);
	*(char *volatile *)&last = block;
	last[50] = 1;
}

static int step(const char *what)
{
	if (what[0] == '+')
		blocks_make(what + 1);
	else if (!strncmp(what, "try=", 4))
		last = malloc((size_t)atol(what + 4));
	else if (!strcmp(what, "uid"))
		return setuid(NOBODY);
	else if (!strcmp(what, "root"))
		return chroot(".") || chdir("/");
	else if (!strcmp(what, "close"))
		all_close();
	else if (!strcmp(what, "fork"))
		child_go_on();
	else if (!strncmp(what, "late=", 5))
		late = (unsigned)atoi(what + 5);
	else if (!strcmp(what, "killed"))
		is_killed = 1;
	else if (!strcmp(what, "background"))
		parent_leave();
	else if (!strcmp(what, "refused"))
		return fork_fail();
	else if (!strcmp(what, "clone"))
		copy_go_on();
	else if (!strcmp(what, "vfork"))
		shared_child_end();
	else if (!strcmp(what, "twice"))
		free(last);
	else if (!strcmp(what, "headless"))
		first_thread_leave();
	else if (!strcmp(what, "sleep"))
		sleep(3);
	else if (!strcmp(what, "free"))
		blocks_free();
	else if (!strcmp(what, "holes"))
		holes_make();
	else if (!strcmp(what, "overflow"))
		last[last_size] = 1;
	else if (!strcmp(what, "late"))
		freed_write();
	else if (!strcmp(what, "secret"))
		return prctl(PR_SET_DUMPABLE, 0);
	else if (!strcmp(what, "_exit"))
		_exit(0);
	else if (!strcmp(what, "_Exit"))
		_Exit(0);
	else if (!strcmp(what, "quick_exit"))
		quick_exit(0);
	else if (!strcmp(what, "abort"))
		abort();
	else if (!strcmp(what, "exit_group"))
		syscall(SYS_exit_group, 0);
	else
		return raise(atoi(what));
	return 0;
}

/* The rest is another program's, which this one waits for. */
static int program_spawn(char **words)
{
	pid_t child;
	int status;

	if (posix_spawn(&child, words[0], NULL, NULL, words, environ) ||
	    waitpid(child, &status, 0) != child)
		return CANNOT;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	for (int index = 1; index < argc; index++) {
		if (!strcmp(argv[index], "exec")) {
			execvp(argv[index + 1], argv + index + 1);
			return 127;
		}
		if (!strcmp(argv[index], "spawn"))
			return program_spawn(argv + index + 1);
		if (step(argv[index]))
			return CANNOT;
	}
	return 0;
}
