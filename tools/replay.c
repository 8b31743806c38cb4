/* SPDX-License-Identifier: MIT */
/*
 * replay.c - see replay.h: bheap's side. Both sides are the same program, so operations are sent as
 * they lie in memory.
 */
#include "replay.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Settings that 'bheap run' makes itself, or that would make the replay write or abort. */
static bool is_passed_on(const char *setting)
{
	static const char *const own[] = {
		"LD_PRELOAD=",          "BHEAP_MALLOC_SIZE=",     "BHEAP_MALLOC_ABORT=",
		"BHEAP_MALLOC_REPORT=", "BHEAP_MALLOC_SNAPSHOT=", "BHEAP_MALLOC_TABLE=",
	};

	for (size_t index = 0; index < sizeof(own) / sizeof(*own); index++)
		if (strncmp(setting, own[index], strlen(own[index])) == 0)
			return false;
	return true;
}

/* NULL-terminated; the two settings come first. NULL: no memory. */
static char **environment_make(char *preload, char *size)
{
	size_t count = 0, used = 0;
	char **made;

	while (environ[count])
		count++;
	made = calloc(count + 3, sizeof(*made));
	if (!made)
		return NULL;
	made[used++] = preload;
	made[used++] = size;
	for (size_t index = 0; index < count; index++)
		if (is_passed_on(environ[index]))
			made[used++] = environ[index];
	return made;
}

#define OWN "/proc/self/exe"

/* The path of this program, by which emulators find it, too; by its link if it was replaced. */
static const char *own_path(char path[PATH_MAX])
{
	ssize_t length = readlink(OWN, path, PATH_MAX - 1);

	if (length <= 0)
		return OWN;
	path[length] = '\0';
	return access(path, X_OK) ? OWN : path;
}

/* Standard input is the socket; what the library says is nobody's. */
static int process_spawn(pid_t *process, int fd, char **environment)
{
	char *const argv[] = {(char *)(uintptr_t) "bheap", (char *)(uintptr_t)REPLAY_ARGUMENT,
			      NULL};
	char path[PATH_MAX];
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	for (int own = STDOUT_FILENO; !error && own <= STDERR_FILENO; own++)
		error = posix_spawn_file_actions_addopen(&actions, own, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawn(process, own_path(path), &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static bool process_start(const struct replay *replay, pid_t *process, int fd)
{
	char preload[PATH_MAX + 16], size[48], **environment;
	int error;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", replay->library);
	snprintf(size, sizeof(size), "BHEAP_MALLOC_SIZE=");
	if (replay->size)
		snprintf(size, sizeof(size), "BHEAP_MALLOC_SIZE=%zu", replay->size);
	environment = environment_make(preload, size);
	error = environment ? process_spawn(process, fd, environment) : ENOMEM;
	free(environment);
	return !error;
}

/* False when the other side reads no more: it has answered. */
static bool all_send(int fd, const void *from, size_t size)
{
	while (size) {
		ssize_t length = send(fd, from, size, MSG_NOSIGNAL);

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return false;
		from = (const char *)from + length;
		size -= (size_t)length;
	}
	return true;
}

/* Less than size at the end. */
size_t replay_read(int fd, void *into, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t length = read(fd, (char *)into + done, size - done);

		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			break;
		done += (size_t)length;
	}
	return done;
}

static void trace_send(const struct replay *replay, const struct trace *trace, int fd)
{
	struct replay_request request = {.slot_count = trace->slot_count,
					 .threads = trace->threads,
					 .heap_size = replay->size};
	size_t op = 0, count;
	bool taken;

	snprintf(request.library, sizeof(request.library), "%s", replay->library);
	taken = all_send(fd, &request, sizeof(request));
	for (; taken && op < trace->op_count; op += count) {
		count = trace->op_count - op < REPLAY_BATCH ? trace->op_count - op : REPLAY_BATCH;
		taken = all_send(fd, &trace->ops[op], count * sizeof(*trace->ops));
		if (replay->progress)
			replay->progress(replay->arg, op);
	}
	shutdown(fd, SHUT_WR);
}

bool replay_run(const struct replay *replay, const struct trace *trace)
{
	struct replay_answer answer = {.good = false};
	int sockets[2];
	pid_t process;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return false;
	if (process_start(replay, &process, sockets[1])) {
		close(sockets[1]);
		trace_send(replay, trace, sockets[0]);
		if (replay_read(sockets[0], &answer, sizeof(answer)) != sizeof(answer))
			answer.good = false;
		while (waitpid(process, NULL, 0) < 0 && errno == EINTR)
			;
	} else {
		close(sockets[1]);
	}
	close(sockets[0]);
	return answer.good;
}
