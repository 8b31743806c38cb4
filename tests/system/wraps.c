/* SPDX-License-Identifier: MIT */
/*
 * wraps.c - stands in for functions of the C library. Where a long has 32 bits, those that have an
 * off_t or a time_t in them are known to the linker by other names (m4/bheap_wraps.m4 has them
 * too); the pragmas come before the functions' declarations.
 */
#include <features.h>

#if __SIZEOF_LONG__ == 4
#pragma redefine_extname __real_fallocate __real_fallocate64
#pragma redefine_extname __wrap_fallocate __wrap_fallocate64
#pragma redefine_extname __real_ftruncate __real_ftruncate64
#pragma redefine_extname __wrap_ftruncate __wrap_ftruncate64
#pragma redefine_extname __real_mmap __real_mmap64
#pragma redefine_extname __wrap_mmap __wrap_mmap64
#pragma redefine_extname __real_open __real_open64
#pragma redefine_extname __wrap_open __wrap_open64
#pragma redefine_extname __real_posix_fallocate __real_posix_fallocate64
#pragma redefine_extname __wrap_posix_fallocate __wrap_posix_fallocate64
#pragma redefine_extname __real_pread __real_pread64
#pragma redefine_extname __wrap_pread __wrap_pread64
#pragma redefine_extname __real_pwrite __real_pwrite64
#pragma redefine_extname __wrap_pwrite __wrap_pwrite64
#ifdef __USE_TIME_BITS64
#pragma redefine_extname __real_pthread_mutex_timedlock __real___pthread_mutex_timedlock64
#pragma redefine_extname __wrap_pthread_mutex_timedlock __wrap___pthread_mutex_timedlock64
#pragma redefine_extname __real_fcntl __real___fcntl_time64
#pragma redefine_extname __wrap_fcntl __wrap___fcntl_time64
#pragma redefine_extname __real_fstat __real___fstat64_time64
#pragma redefine_extname __wrap_fstat __wrap___fstat64_time64
#pragma redefine_extname __real_stat __real___stat64_time64
#pragma redefine_extname __wrap_stat __wrap___stat64_time64
#else
#pragma redefine_extname __real_fcntl __real_fcntl64
#pragma redefine_extname __wrap_fcntl __wrap_fcntl64
#pragma redefine_extname __real_fstat __real_fstat64
#pragma redefine_extname __wrap_fstat __wrap_fstat64
#pragma redefine_extname __real_stat __real_stat64
#pragma redefine_extname __wrap_stat __wrap_stat64
#endif
#endif

#include "os/wait.h"
#include "wraps.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[WRAPS] = {
	[WRAP_MMAP] = "mmap",
	[WRAP_MUNMAP] = "munmap",
	[WRAP_MPROTECT] = "mprotect",
	[WRAP_MADVISE] = "madvise",
	[WRAP_MSYNC] = "msync",
	[WRAP_FTRUNCATE] = "ftruncate",
	[WRAP_FALLOCATE] = "fallocate",
	[WRAP_POSIX_FALLOCATE] = "posix_fallocate",
	[WRAP_OPEN] = "open",
	[WRAP_SHM_OPEN] = "shm_open",
	[WRAP_CLOSE] = "close",
	[WRAP_UNLINK] = "unlink",
	[WRAP_SHM_UNLINK] = "shm_unlink",
	[WRAP_FCNTL] = "fcntl",
	[WRAP_STAT] = "stat",
	[WRAP_FSTAT] = "fstat",
	[WRAP_PREAD] = "pread",
	[WRAP_PWRITE] = "pwrite",
	[WRAP_KILL] = "kill",
	[WRAP_POLL] = "poll",
	[WRAP_GETAUXVAL] = "getauxval",
	[WRAP_GETRANDOM] = "getrandom",
	[WRAP_SYSCALL] = "syscall",
	[WRAP_TGKILL] = "tgkill",
	[WRAP_MUTEX_INIT] = "pthread_mutex_init",
	[WRAP_MUTEX_TRYLOCK] = "pthread_mutex_trylock",
	[WRAP_MUTEX_TIMEDLOCK] = "pthread_mutex_timedlock",
	[WRAP_ATTR_INIT] = "pthread_mutexattr_init",
	[WRAP_ATTR_TYPE] = "pthread_mutexattr_settype",
	[WRAP_ATTR_SHARED] = "pthread_mutexattr_setpshared",
	[WRAP_ATTR_ROBUST] = "pthread_mutexattr_setrobust",
	[WRAP_SPIN_INIT] = "pthread_spin_init",
	[WRAP_NAP] = "bh_wait_nap",
	[WRAP_ATFORK] = "pthread_atfork",
};

const char *wrap_name(enum wrap function)
{
	return names[function];
}

static intptr_t answer_give(const struct wrap_answer *answer)
{
	errno = answer->error ? answer->error : errno;
	return answer->result;
}

/* The body of a stand-in: asks for the answer; real is the call of the system's function. */
#define ANSWER(type, asked, real)                                                                  \
	do {                                                                                       \
		struct wrap_answer answer = wrap_answer(asked);                                    \
		type result = (type)0;                                                             \
                                                                                                   \
		if (answer.kind != WRAP_INSTEAD)                                                   \
			result = real;                                                             \
		return answer.kind == WRAP_INSTEAD || answer.kind == WRAP_AFTER                    \
			       ? (type)answer_give(&answer)                                        \
			       : result;                                                           \
	} while (0)

/* Declares the system's function and its stand-in; the last arguments initialise struct wrap_call.
 */
#define WRAP(type, name, parameters, real, ...)                                                    \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		ANSWER(type, &((struct wrap_call){.function = __VA_ARGS__}), __real_##name real);  \
	}

/* The bytes that a read or write that is cut short is for. */
#define CUT(size) (answer.kind == WRAP_HALF ? (size) / 2 : (size))

WRAP(void *, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t from),
     (at, size, protection, flags, fd, from), WRAP_MMAP, .fd = fd)
WRAP(int, munmap, (void *start, size_t size), (start, size), WRAP_MUNMAP)
WRAP(int, mprotect, (void *start, size_t size, int protection), (start, size, protection),
     WRAP_MPROTECT)
WRAP(int, madvise, (void *start, size_t size, int advice), (start, size, advice), WRAP_MADVISE,
     .command = (unsigned long)advice)
WRAP(int, msync, (void *start, size_t size, int flags), (start, size, flags), WRAP_MSYNC)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), WRAP_FTRUNCATE, .fd = fd)
WRAP(int, fallocate, (int fd, int mode, off_t from, off_t size), (fd, mode, from, size),
     WRAP_FALLOCATE, .fd = fd)
WRAP(int, posix_fallocate, (int fd, off_t from, off_t size), (fd, from, size), WRAP_POSIX_FALLOCATE,
     .fd = fd)
WRAP(int, shm_open, (const char *name, int oflag, mode_t mode), (name, oflag, mode), WRAP_SHM_OPEN,
     .command = (unsigned long)oflag)
WRAP(int, close, (int fd), (fd), WRAP_CLOSE, .fd = fd)
WRAP(int, unlink, (const char *name), (name), WRAP_UNLINK)
WRAP(int, shm_unlink, (const char *name), (name), WRAP_SHM_UNLINK)
WRAP(int, stat, (const char *name, struct stat *status), (name, status), WRAP_STAT, .name = name,
     .argument = status)
WRAP(int, fstat, (int fd, struct stat *status), (fd, status), WRAP_FSTAT, .fd = fd)
WRAP(ssize_t, pread, (int fd, void *into, size_t size, off_t at), (fd, into, CUT(size), at),
     WRAP_PREAD, .fd = fd)
WRAP(ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, CUT(size), at),
     WRAP_PWRITE, .fd = fd)
WRAP(int, kill, (pid_t pid, int number), (pid, number), WRAP_KILL)
WRAP(int, poll, (struct pollfd * files, nfds_t count, int timeout), (files, count, timeout),
     WRAP_POLL)
WRAP(unsigned long, getauxval, (unsigned long type), (type), WRAP_GETAUXVAL, .command = type)
WRAP(ssize_t, getrandom, (void *buffer, size_t size, unsigned flags), (buffer, size, flags),
     WRAP_GETRANDOM)
WRAP(int, tgkill, (pid_t process, pid_t thread, int number), (process, thread, number), WRAP_TGKILL)
WRAP(int, pthread_mutex_init, (pthread_mutex_t * m, const pthread_mutexattr_t *a), (m, a),
     WRAP_MUTEX_INIT)
WRAP(int, pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex), WRAP_MUTEX_TRYLOCK)
WRAP(int, pthread_mutex_timedlock, (pthread_mutex_t * mutex, const struct timespec *until),
     (mutex, until), WRAP_MUTEX_TIMEDLOCK)
WRAP(int, pthread_mutexattr_init, (pthread_mutexattr_t * a), (a), WRAP_ATTR_INIT)
WRAP(int, pthread_mutexattr_settype, (pthread_mutexattr_t * a, int type), (a, type), WRAP_ATTR_TYPE)
WRAP(int, pthread_mutexattr_setpshared, (pthread_mutexattr_t * a, int shared), (a, shared),
     WRAP_ATTR_SHARED)
WRAP(int, pthread_mutexattr_setrobust, (pthread_mutexattr_t * a, int robust), (a, robust),
     WRAP_ATTR_ROBUST)
WRAP(int, pthread_spin_init, (pthread_spinlock_t * lock, int shared), (lock, shared),
     WRAP_SPIN_INIT)

/* More arguments than it was given do no harm, but to the address sanitizer. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
__attribute__((no_sanitize("address"))) long __wrap_syscall(long number, ...)
{
	const struct wrap_call call = {.function = WRAP_SYSCALL, .command = (unsigned long)number};
	va_list arguments;
	long all[6];

	va_start(arguments, number);
	for (int index = 0; index < 6; index++)
		all[index] = va_arg(arguments, long);
	va_end(arguments);
	ANSWER(long, &call, __real_syscall(number, all[0], all[1], all[2], all[3], all[4], all[5]));
}

void __real_bh_wait_nap(long nanoseconds);
void __wrap_bh_wait_nap(long nanoseconds);
void __wrap_bh_wait_nap(long nanoseconds)
{
	const struct wrap_call call = {.function = WRAP_NAP, .command = (unsigned long)nanoseconds};

	if (wrap_answer(&call).kind == WRAP_REAL)
		__real_bh_wait_nap(nanoseconds);
}

WRAP(int, pthread_atfork, (void (*prepare)(void), void (*parent)(void), void (*child)(void)),
     (prepare, parent, child), WRAP_ATFORK)

int __real_open(const char *name, int oflag, ...);
int __wrap_open(const char *name, int oflag, ...);
int __wrap_open(const char *name, int oflag, ...)
{
	const struct wrap_call call = {
		.function = WRAP_OPEN, .name = name, .command = (unsigned long)oflag};
	mode_t mode = 0;
	va_list rest;

	va_start(rest, oflag);
	if (oflag & O_CREAT)
		mode = va_arg(rest, mode_t);
	va_end(rest);
	ANSWER(int, &call, __real_open(name, oflag, mode));
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	struct wrap_call call = {
		.function = WRAP_FCNTL, .fd = fd, .command = (unsigned long)command};
	va_list rest;

	va_start(rest, command);
	call.argument = va_arg(rest, void *);
	va_end(rest);
	ANSWER(int, &call, __real_fcntl(fd, command, call.argument));
}
