/* SPDX-License-Identifier: MIT */
/*
 * filter.c - a program that takes system calls from itself, for hooks.sh: with "errno" madvise()
 * fails, and free() keeps errno; with "deny PROGRAM ..." that program may not read the memory of
 * others; with "exec-errno PROGRAM ..." or "exec-kill PROGRAM ..." calls fail, or end the process,
 * that programs seldom make as they begin; with "landlock PROGRAM ..." only the system's folders
 * may be read; with "kill" every call ends the process that libbheap-malloc(7) does not name for a
 * process of one thread, with "kill-madvise" that one, too. Status 77: no filters here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_include) && __has_include(<linux/landlock.h>) && defined(SYS_landlock_restrict_self)
#include <linux/landlock.h>
#define HAS_LANDLOCK 1
#endif

/* Machines without access(2) have faccessat(2) in its place. */
#ifdef SYS_access
#define SELDOM_CALLED SYS_faccessat
#else
#define SELDOM_CALLED SYS_faccessat2
#endif
#ifdef SYS_getresuid32
#define GETRESUID SYS_getresuid32
#define GETRESGID SYS_getresgid32
#else
#define GETRESUID SYS_getresuid
#define GETRESGID SYS_getresgid
#endif

#ifdef SYS_mmap2
#define MAP_CALL SYS_mmap2
#else
#define MAP_CALL SYS_mmap
#endif

#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
/* For the call the next statement, else the one after it. */
#define ON(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1)

static int install(struct sock_filter *filter, size_t count)
{
	const struct sock_fprog program = {(unsigned short)count, filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int install_errno(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ON(SYS_madvise), RETURN(SECCOMP_RET_ERRNO | EINVAL), RETURN(SECCOMP_RET_ALLOW)};

	return install(filter, sizeof(filter) / sizeof(filter[0]));
}

static int install_deny(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ON(SYS_process_vm_readv), RETURN(SECCOMP_RET_ERRNO | EPERM),
		RETURN(SECCOMP_RET_ALLOW)};

	return install(filter, sizeof(filter) / sizeof(filter[0]));
}

static int install_exec(unsigned action)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ON(SELDOM_CALLED),
		RETURN(action),
		ON(GETRESUID),
		RETURN(action),
		ON(GETRESGID),
		RETURN(action),
		RETURN(SECCOMP_RET_ALLOW)};

	return install(filter, sizeof(filter) / sizeof(filter[0]));
}

#ifdef HAS_LANDLOCK
static void landlock_allow(int rules, const char *folder)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
		.parent_fd = open(folder, O_PATH | O_CLOEXEC),
	};

	if (rule.parent_fd >= 0)
		syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int install_landlock(void)
{
	static const char *const folders[] = {"/usr",   "/bin", "/lib",  "/lib32",
					      "/lib64", "/etc", "/proc", "/dev"};
	struct landlock_ruleset_attr attributes = {.handled_access_fs =
							   LANDLOCK_ACCESS_FS_READ_FILE};
	long rules = syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);

	if (rules < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	for (size_t index = 0; index < sizeof(folders) / sizeof(folders[0]); index++)
		landlock_allow((int)rules, folders[index]);
	return (int)syscall(SYS_landlock_restrict_self, rules, 0);
}
#else
static int install_landlock(void)
{
	errno = ENOSYS;
	return -1;
}
#endif

static int install_kill(unsigned madvise_action)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ON(SYS_madvise),
		RETURN(madvise_action),
		ON(MAP_CALL),
		RETURN(SECCOMP_RET_ALLOW),
		ON(SYS_munmap),
		RETURN(SECCOMP_RET_ALLOW),
		ON(SYS_getpid),
		RETURN(SECCOMP_RET_ALLOW),
		ON(SYS_write),
		RETURN(SECCOMP_RET_ALLOW),
		ON(SYS_exit_group),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_KILL)};

	return install(filter, sizeof(filter) / sizeof(filter[0]));
}

/* The compiler takes it that free() leaves errno alone. */
static void (*volatile release)(void *) = free;

/* Another block in the place of one; false if there is none, or errno has changed. */
static bool block_change(char **block, size_t size)
{
	errno = 0;
	release(*block);
	if (errno) {
		perror("free()");
		return false;
	}
	*block = size ? malloc(size) : NULL;
	return !size || (*block && memset(*block, 1, size));
}

/* Large ones that were never wanted before; then large and small, until much was given back. */
static int work(void)
{
	static char *blocks[64];
	bool done = true;

	for (unsigned step = 0; step < 128 && done; step++)
		done = block_change(&blocks[step % 64], step < 64 ? 1 << 20 : 0);
	for (unsigned step = 0; step < 6000 && done; step++)
		done = block_change(&blocks[step * 7 % 64],
				    step % 3 ? step % 900 + 1 : (size_t)step * 100 + 1);
	return !done;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	int failed = -1;

	if (strcmp(kind, "errno") == 0)
		failed = install_errno();
	else if (strcmp(kind, "deny") == 0)
		failed = install_deny();
	else if (strcmp(kind, "exec-errno") == 0)
		failed = install_exec(SECCOMP_RET_ERRNO | EPERM);
	else if (strcmp(kind, "exec-kill") == 0)
		failed = install_exec(SECCOMP_RET_KILL);
	else if (strcmp(kind, "landlock") == 0)
		failed = install_landlock();
	else if (strcmp(kind, "kill") == 0)
		failed = install_kill(SECCOMP_RET_ALLOW);
	else if (strcmp(kind, "kill-madvise") == 0)
		failed = install_kill(SECCOMP_RET_KILL);
	if (failed) {
		perror("no filter");
		return 77;
	}
	if (argc > 2)
		execvp(argv[2], argv + 2);
	return work();
}
