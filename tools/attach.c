/* SPDX-License-Identifier: MIT */
/*
 * attach.c - see attach.h.
 */
#include "attach.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE ((size_t)1 << 18)

/*
 * The bytes that who opens a heap's file, and who is attached to it, hold locks on: bheap_open(3).
 */
enum { BYTE_OPEN_LOCK, BYTE_ATTACH_LOCK };

/* ---- faults ---- */

void fault_log_add(struct fault_log *log, const struct bheap_fault *fault)
{
	if (log->count < FAULTS_KEPT)
		log->faults[log->count] = *fault;
	log->count++;
}

static void fault_hear(const struct bheap_fault *fault, void *log)
{
	fault_log_add(log, fault);
}

void fault_log_tell(const struct fault_log *log, const char *path)
{
	static const char own_name[] = "bheap: ";

	for (unsigned index = 0; index < log->count && index < FAULTS_KEPT; index++) {
		const char *text = log->faults[index].text;

		if (strncmp(text, own_name, strlen(own_name)) == 0)
			text += strlen(own_name);
		warnx("%s: %s", path, text);
	}
	if (log->count > FAULTS_KEPT)
		warnx("%s: and %u more", path, log->count - FAULTS_KEPT);
}

/* A name with one slash, at its start, is that of a shared memory object. */
static bool is_object_name(const char *path)
{
	return path[0] == '/' && path[1] && !strchr(path + 1, '/');
}

/* The message for errno. A user who wrote /heap may have meant a file. */
static const char *error_text(const char *path)
{
	if (errno == ENOENT && is_object_name(path))
		return "no such shared memory object (a file in / is //NAME)";
	return strerror(errno);
}

/* Without a fault report errno is the only message. */
static bheap_t *attached(bheap_t *heap, const char *path, struct fault_log *log)
{
	struct bheap_fault error = {.kind = BHEAP_FAULT_NONE};

	if (!heap && !log->count) {
		snprintf(error.text, sizeof(error.text), "%s", error_text(path));
		fault_log_add(log, &error);
	}
	return heap;
}

bheap_t *heap_attach(const char *path, int oflag, struct fault_log *log)
{
	bheap_set_fault_handler(NULL, fault_hear, log);
	return attached(bheap_open(path, 0, oflag, 0, 0), path, log);
}

/* Not by bheap_open_fd(), which would make a sound heap of a file that was only given its length.
 */
bheap_t *heap_attach_copy(int fd, struct fault_log *log)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return heap_attach(path, O_RDWR, log);
}

/* ---- copies ---- */

static int heap_file_open(const char *path)
{
	/* Not to wait for a writer, should it be a FIFO. */
	return is_object_name(path) ? shm_open(path, O_RDONLY, 0)
				    : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* -1 after a message. */
static int nameless_file(void)
{
	const char *setting = secure_getenv("TMPDIR");
	const char *folder = setting && *setting ? setting : "/tmp";
	char *path;
	int fd;

	if (asprintf(&path, "%s/bheap-XXXXXX", folder) < 0)
		return -1;
	fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	else
		warn("TMPDIR: %s", folder);
	free(path);
	return fd;
}

/* Goes on where a write was cut short, to learn why. */
static int whole_write(int fd, const char *from, size_t size, off_t at)
{
	while (size) {
		ssize_t length = pwrite(fd, from, size, at);

		if (length < 0)
			return -1;
		from += length;
		size -= (size_t)length;
		at += length;
	}
	return 0;
}

static int extent_copy(int from, int to, off_t at, off_t end, char *buffer)
{
	while (at < end) {
		size_t wanted =
			(uint64_t)(end - at) < BUFFER_SIZE ? (size_t)(end - at) : BUFFER_SIZE;
		ssize_t length = pread(from, buffer, wanted, at);

		if (length <= 0)
			return (int)length; /* at 0 the file has just become shorter: no error */
		if (whole_write(to, buffer, (size_t)length, at))
			return -1;
		at += length;
	}
	return 0;
}

/* Holes stay holes: most of a heap's file may never have been written. */
static int file_copy(int from, int to)
{
	off_t size = lseek(from, 0, SEEK_END), at = 0;
	char *buffer = malloc(BUFFER_SIZE);
	int result = size < 0 || !buffer || ftruncate(to, size) ? -1 : 0;

	while (!result && at < size) {
		off_t data = lseek(from, at, SEEK_DATA), hole;

		if (data < 0) {
			result = errno == ENXIO ? 0 : -1;
			break;
		}
		hole = lseek(from, data, SEEK_HOLE);
		result = extent_copy(from, to, data, hole < 0 ? size : hole, buffer);
		at = hole < 0 ? size : hole;
	}
	free(buffer);
	return result;
}

/*
 * No writer can attach while the open lock is held; readers can. Where files have no
 * locks no process is attached.
 */
static void open_lock_set(int fd, short type)
{
	struct flock open_lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = BYTE_OPEN_LOCK, .l_len = 1};

	while (fcntl(fd, F_OFD_SETLKW, &open_lock) < 0 && errno == EINTR)
		;
}

static bool writer_is_attached(int fd)
{
	struct flock other = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = BYTE_ATTACH_LOCK, .l_len = 1};

	return fcntl(fd, F_OFD_GETLK, &other) == 0 && other.l_type != F_UNLCK;
}

/*
 * Other than a regular file, or empty: nothing to copy, the library reports the cause.
 */
static bool nothing_to_copy(const char *path, int fd)
{
	struct fault_log log = {.count = 0};
	struct stat status;
	bheap_t *heap;

	if (fstat(fd, &status) || (S_ISREG(status.st_mode) && status.st_size))
		return false;
	heap = heap_attach(path, O_RDONLY, &log);
	if (heap)
		bheap_close(heap); /* it became one just now */
	fault_log_tell(&log, path);
	return log.count;
}

int heap_copy(const char *path, bool *at_rest)
{
	int from = heap_file_open(path), to = -1;

	if (from < 0) {
		warnx("%s: %s", path, error_text(path));
		return -1;
	}
	if (nothing_to_copy(path, from)) {
		close(from);
		return -1;
	}
	open_lock_set(from, F_RDLCK);
	*at_rest = !writer_is_attached(from);
	if (!*at_rest)
		open_lock_set(from, F_UNLCK);
	to = nameless_file();
	if (to >= 0 && file_copy(from, to)) {
		warn("%s: no copy to check", path);
		close(to);
		to = -1;
	}
	close(from);
	return to;
}
