/* SPDX-License-Identifier: MIT */
/*
 * file.c - the system calls behind file.h. A path with one slash, at its start, names a shared
 * memory object; any other a file.
 */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "os/wait.h"

/* The bytes of the file that are locked; their content does not matter. */
enum lock_byte { OPEN_LOCK, ATTACH_LOCK };

static bool is_shm_name(const char *path)
{
	return path[0] == '/' && path[1] && !strchr(path + 1, '/');
}

static void close_quietly(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
}

/*
 * Moves a descriptor out of the way of the standard streams, one of which may be closed: what the
 * program prints there must not go into the file.
 */
static int descriptor_move(int fd)
{
	int moved;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close_quietly(fd);
	return moved;
}

/* O_NONBLOCK, here and below, so that opening a FIFO does not wait for a writer. */
static int open_once(const char *path, int oflag, mode_t mode)
{
	if (is_shm_name(path))
		return descriptor_move(shm_open(path, oflag, mode));
	return descriptor_move(open(path, oflag | O_CLOEXEC | O_NONBLOCK, mode));
}

static bool is_link(const char *path)
{
	struct stat status;

	return !is_shm_name(path) && lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

int bh_file_identify(int fd, struct bh_file_id *file)
{
	struct stat status;

	if (fstat(fd, &status))
		return -1;
	*file = (struct bh_file_id){status.st_dev, status.st_ino};
	return 0;
}

static bool is_same_file(const struct bh_file_id *file, const struct bh_file_id *other)
{
	return file->device == other->device && file->inode == other->inode;
}

bool bh_file_is_own(int fd, const struct bh_file_id *file)
{
	struct bh_file_id now;
	int saved = errno;
	bool own = bh_file_identify(fd, &now) == 0 && is_same_file(&now, file);

	errno = saved;
	return own;
}

/*
 * The kernel refuses to open another user's file with O_CREAT in a folder such as /tmp
 * (fs.protected_regular), and must be asked so. The file that the name leads to by now is opened.
 */
static int open_if_allowed(int opened, const char *path, int oflag, mode_t mode)
{
	int fd = open_once(path, oflag, mode);

	close_quietly(opened);
	return fd;
}

int bh_file_open(const char *path, int oflag, mode_t mode, bool *created)
{
	int fd;

	*created = false;
	if (!(oflag & O_CREAT))
		return open_once(path, oflag, mode);
	/* The name may come and go between the two calls. */
	for (;;) {
		fd = open_once(path, oflag | O_EXCL, mode);
		*created = fd >= 0;
		if (fd >= 0 || errno != EEXIST || oflag & O_EXCL)
			return fd;
		fd = open_once(path, oflag & ~O_CREAT, mode);
		if (fd >= 0)
			return open_if_allowed(fd, path, oflag, mode);
		if (errno != ENOENT)
			return fd;
		/* A dangling link: it cannot be told which process creates its target. */
		if (is_link(path))
			return open_once(path, oflag, mode);
	}
}

int bh_file_close(int fd)
{
	return close(fd);
}

int bh_file_close_own(int fd, const struct bh_file_id *file)
{
	struct bh_file_id now;
	int saved = errno;

	if (bh_file_identify(fd, &now) == 0)
		return is_same_file(&now, file) ? close(fd) : 0;
	if (errno != EBADF) {
		close_quietly(fd);
		return -1;
	}
	errno = saved;
	return 0;
}

int bh_file_close_unlocked(int fd)
{
	struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	fcntl(fd, F_OFD_SETLK, &all);
	return close(fd);
}

int bh_file_unlink(const char *path)
{
	return is_shm_name(path) ? shm_unlink(path) : unlink(path);
}

/* Which file a name leads to now, a link itself. */
static int path_identify(const char *path, struct bh_file_id *file)
{
	struct stat status;
	int fd, result;

	if (is_shm_name(path)) {
		fd = open_once(path, O_RDONLY, 0);
		result = fd < 0 ? -1 : bh_file_identify(fd, file);
		if (fd >= 0)
			close(fd);
		return result;
	}
	if (lstat(path, &status))
		return -1;
	*file = (struct bh_file_id){status.st_dev, status.st_ino};
	return 0;
}

void bh_file_unlink_own(int fd, const char *path)
{
	struct bh_file_id here, there;

	if (!bh_file_identify(fd, &here) && !path_identify(path, &there) &&
	    is_same_file(&here, &there))
		bh_file_unlink(path);
}

int bh_file_reopen(int fd, bool *writable)
{
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(fd)];
	int oflag = fcntl(fd, F_GETFL);

	if (oflag < 0)
		return -1;
	if ((oflag & O_ACCMODE) == O_WRONLY) {
		errno = EACCES;
		return -1;
	}
	*writable = (oflag & O_ACCMODE) == O_RDWR;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open_once(path, oflag & O_ACCMODE, 0);
}

static int byte_lock(int fd, enum lock_byte byte, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

	return fcntl(fd, F_OFD_SETLK, &lock);
}

static bool is_held_elsewhere(int error)
{
	return error == EAGAIN || error == EACCES;
}

/* Nanoseconds: how long others may hold a lock, and the naps meanwhile. */
#define LOCK_WAIT (INT64_C(30) * 1000000000)
#define LOCK_NAP_FIRST 100000
#define LOCK_NAP_LAST 10000000

static int byte_lock_soon(int fd, enum lock_byte byte, short type)
{
	long nap = LOCK_NAP_FIRST;
	int saved = errno;

	for (int64_t left = LOCK_WAIT; byte_lock(fd, byte, type); left -= nap) {
		if (!is_held_elsewhere(errno))
			return -1;
		if (left <= 0) {
			errno = EBUSY;
			return -1;
		}
		nap = 2 * nap < LOCK_NAP_LAST ? 2 * nap : LOCK_NAP_LAST;
		bh_wait_nap(nap);
	}
	errno = saved;
	return 0;
}

int bh_file_lock_open(int fd, bool exclusive)
{
	return byte_lock_soon(fd, OPEN_LOCK, exclusive ? F_WRLCK : F_RDLCK);
}

pid_t bh_file_open_lock_holder(int fd)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = OPEN_LOCK, .l_len = 1};

	if (fcntl(fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK)
		return 0;
	return lock.l_pid;
}

void bh_file_unlock_open(int fd)
{
	byte_lock(fd, OPEN_LOCK, F_UNLCK);
}

int bh_file_is_sole_opener(int fd, bool *sole)
{
	*sole = byte_lock(fd, ATTACH_LOCK, F_WRLCK) == 0;
	return *sole || is_held_elsewhere(errno) ? 0 : -1;
}

int bh_file_lock_attach(int fd)
{
	return byte_lock_soon(fd, ATTACH_LOCK, F_RDLCK);
}

off_t bh_file_size(int fd, bool *named)
{
	struct stat status;

	if (fstat(fd, &status))
		return -1;
	if (!S_ISREG(status.st_mode)) {
		errno = EPROTO;
		return -1;
	}
	*named = status.st_nlink > 0;
	return status.st_size;
}

bool bh_file_is_at(int fd, const char *path)
{
	struct stat here, there;

	return !is_shm_name(path) && !fstat(fd, &here) && !stat(path, &there) &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

bool bh_file_is_hole(int fd)
{
	return lseek(fd, 0, SEEK_DATA) < 0 && errno == ENXIO;
}

bool bh_file_may_run_full(int fd)
{
	struct statfs status;

	return fstatfs(fd, &status) || status.f_blocks;
}

bool bh_file_has_hole(int fd, uint64_t begin, uint64_t end)
{
	int saved = errno;
	off_t hole = lseek(fd, (off_t)begin, SEEK_HOLE);

	errno = saved;
	return hole < 0 || (uint64_t)hole < end;
}

bool bh_file_may_have_size(uint64_t size)
{
	/* Where there is none, or none is told, it is larger than any heap. */
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY};

	getrlimit(RLIMIT_FSIZE, &limit);
	if (size <= limit.rlim_cur)
		return true;
	errno = EFBIG;
	return false;
}

ssize_t bh_file_read(int fd, void *into, size_t size)
{
	return pread(fd, into, size, 0);
}

bool bh_file_write(int fd, const void *from, size_t size)
{
	ssize_t written = pwrite(fd, from, size, 0);

	if (written >= 0 && written != (ssize_t)size)
		errno = ENOSPC;
	return written == (ssize_t)size;
}
