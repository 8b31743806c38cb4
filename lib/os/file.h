/* SPDX-License-Identifier: MIT */
/*
 * file.h - files and shared memory objects by name, and who is attached to them: the only room
 * that opens, reads, locks and removes files. Two locks of the open file description, gone with it
 * however a process ends: the gate, held for the length of one open, and presence, shared by all
 * who are attached and can write. Refuses to know what is in a file. Sets errno.
 */
#ifndef BH_FILE_H
#define BH_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Opens, or makes with O_CREAT, and tells which it was. */
int bh_file_open(const char *path, int oflag, mode_t mode, bool *created);
int bh_file_close(int fd);

/* The same without its locks: a child of a fork just now would keep them. */
int bh_file_close_unlocked(int fd);
int bh_file_unlink(const char *path);

/* Another description of the same file, with locks of its own; whether it can be written to. */
int bh_file_reopen(int fd, bool *writable);

/* Waits until no other open is under way; exclusive where the file can be written to. */
int bh_file_lock_open(int fd, bool exclusive);
void bh_file_unlock_open(int fd);

/*
 * Whether nobody who can write is attached; then nobody can be until bh_file_lock_attach(). 0, or
 * -1.
 */
int bh_file_is_sole_opener(int fd, bool *sole);

/* Attached from now on, among others. */
int bh_file_lock_attach(int fd);

/* Its length, and whether it still has a name; -1 with errno, EPROTO if it is no regular file. */
off_t bh_file_size(int fd, bool *named);

/* Whether a path leads to this very file, as one of /proc/self/fd does to a file without a name. */
bool bh_file_is_at(int fd, const char *path);

/* Up to size bytes from the start: how many there are, or -1. */
ssize_t bh_file_read(int fd, void *into, size_t size);

/* All of size bytes to the start, or false. */
bool bh_file_write(int fd, const void *from, size_t size);

#endif
