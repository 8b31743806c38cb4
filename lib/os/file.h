/* SPDX-License-Identifier: MIT */
/*
 * file.h - files and shared memory objects by name, and which processes are attached to them: the
 * only room that opens, reads, locks and removes files. Two locks of the open file description,
 * which end with it however a process ends: the open lock, exclusive, held during one open; and the
 * attach lock, shared by all attached processes that can write. Refuses to know what is in a file.
 * Sets errno. No descriptor is one of the standard streams, and execve(2) closes all.
 */
#ifndef BH_FILE_H
#define BH_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens a file, or creates it with O_CREAT; *created tells which. */
int bh_file_open(const char *path, int oflag, mode_t mode, bool *created);
int bh_file_close(int fd);

/* Which file a descriptor is open on; 0, or -1. */
struct bh_file_id {
	dev_t device;
	ino_t inode;
};
int bh_file_identify(int fd, struct bh_file_id *file);

/* True if a descriptor is still open on this file. Keeps errno. */
bool bh_file_is_own(int fd, const struct bh_file_id *file);

/*
 * Closes a descriptor that was open on this file. Nothing is left to do, and 0 the result, if the
 * program closed it already and perhaps has another file under its number.
 */
int bh_file_close_own(int fd, const struct bh_file_id *file);

/*
 * Releases the locks, then closes: a child of a fork has the same description and would keep them.
 */
int bh_file_close_unlocked(int fd);
int bh_file_unlink(const char *path);

/* Removes a name if it is this file's. */
void bh_file_unlink_own(int fd, const char *path);

/*
 * A new description of the same file, with locks of its own; *writable tells if it can be written
 * to.
 */
int bh_file_reopen(int fd, bool *writable);

/*
 * Takes the open lock; exclusive where the file can be written to. Waits for other opens to end,
 * but not for ever: -1 with EBUSY when another process has the lock for half a minute. Keeps errno
 * when it succeeds.
 */
int bh_file_lock_open(int fd, bool exclusive);

/* The process that keeps the open lock from being taken; 0 or less if that cannot be told. */
pid_t bh_file_open_lock_holder(int fd);

void bh_file_unlock_open(int fd);

/*
 * Sets *sole to true if no writer is attached; then none can attach before bh_file_lock_attach().
 * 0, or -1.
 */
int bh_file_is_sole_opener(int fd, bool *sole);

/* Takes the attach lock, shared; as bh_file_lock_open() if it is not to be had. */
int bh_file_lock_attach(int fd);

/*
 * The length of the file; *named tells if it still has a name. -1 with errno, EPROTO if it is not a
 * regular file.
 */
off_t bh_file_size(int fd, bool *named);

/* True if a path leads to this file, as one of /proc/self/fd does to a file without a name. */
bool bh_file_is_at(int fd, const char *path);

/* True if nothing was ever written to the file, however long it is. */
bool bh_file_is_hole(int fd);

/*
 * True unless the file's memory has no limit but the machine's, as that of memfd_create(2): there
 * a part of the file is never refused.
 */
bool bh_file_may_run_full(int fd);

/* False if all of a part of the file is known to have storage. Keeps errno. */
bool bh_file_has_hole(int fd, uint64_t begin, uint64_t end);

/* True if a file may grow to this size; else false with EFBIG, and no signal. */
bool bh_file_may_have_size(uint64_t size);

/* Reads up to size bytes from the start; their number, or -1. */
ssize_t bh_file_read(int fd, void *into, size_t size);

/* Writes all of size bytes to the start, or returns false. */
bool bh_file_write(int fd, const void *from, size_t size);

#endif
