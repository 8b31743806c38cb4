/* SPDX-License-Identifier: MIT */
/*
 * replay.h - a trace replayed in libbheap-malloc.so itself: in a process of its own, which is bheap
 * again with the library preloaded and gets the operations through a socket. So what suffices here
 * is what 'bheap run' grants, caches included. Refuses to know how sizes are searched for.
 */
#ifndef TOOLS_REPLAY_H
#define TOOLS_REPLAY_H

#include <limits.h>
#include <stdbool.h>

#include "trace.h"

/* The first argument of the process that replays. */
#define REPLAY_ARGUMENT "--replay"

struct replay {
	const char *library; /* its path */
	size_t size;         /* of the heap; 0: as large as can be */
	void (*progress)(void *arg, size_t op);
	void *arg;
};

/* True if each request was granted; false, too, if the process did not begin or was killed. */
bool replay_run(const struct replay *replay, const struct trace *trace);

/* ---- between the two processes ---- */

/* Comes first on the socket; then all operations, as they lie in memory. */
struct replay_request {
	uint32_t slot_count;
	uint32_t threads;
	size_t heap_size; /* 0: as large as can be */
	char library[PATH_MAX];
};

/* Comes back once, after the last operation or the one that failed. */
struct replay_answer {
	bool good;
};

/* Operations that are sent at once. */
#define REPLAY_BATCH 4096

/* Less than size at the end. */
size_t replay_read(int fd, void *into, size_t size);

/* True if this process is one that replays: standard input is the socket. */
bool replay_is_asked(int argc, char **argv);

/* The process that replays. Its exit status. */
int replay_serve(void);

#endif
