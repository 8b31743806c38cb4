/* SPDX-License-Identifier: MIT */
/*
 * limits.c - a program under limits of the system, for limits.sh: locked memory, address space,
 * data, a core file, a write that runs off. Status 0 if it works as with the C library's malloc(),
 * 1 after a line that says what does not, 77 if the limit cannot be set here.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define NOBODY 65534

static int fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 1;
}

/* A line of /proc/self/status, in MiB. Nothing is allocated. */
static size_t status_read(const char *name)
{
	char text[4096], *line;
	FILE *file = fopen("/proc/self/status", "r");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	text[length] = 0;
	line = strstr(text, name);
	return line ? strtoul(line + strlen(name), NULL, 10) / 1024 : SIZE_MAX;
}

static int limit_set(int resource, size_t size)
{
	const struct rlimit limit = {size, size};

	return setrlimit((__rlimit_resource_t)resource, &limit);
}

static char *block_make(size_t size)
{
	char *block = malloc(size);

	return block ? memset(block, 1, size) : NULL;
}

/* An ordinary user, who may lock little. */
static int lock_little(void)
{
	if (limit_set(RLIMIT_MEMLOCK, 8 * MIB) || (!getuid() && (setgid(NOBODY) || setuid(NOBODY))))
		return 77;
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return fail("mlockall() by an ordinary user");
	return block_make(MIB) ? 0 : fail("a MiB of locked memory");
}

/* True for root, and for who may lock as much as the test needs. */
static int may_lock(void)
{
	struct rlimit limit;

	return !geteuid() || (!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur >= 256 * MIB);
}

/* No more is locked than is used, and an eighth. */
static int lock_all(void)
{
	size_t before, after;
	char *block;

	if (!may_lock() || mlockall(MCL_CURRENT | MCL_FUTURE))
		return 77;
	before = status_read("VmLck:");
	block = block_make(32 * MIB);
	after = status_read("VmLck:");
	if (!block || before > 32 || after > before + 48) {
		printf("%zu MiB locked, then %zu\n", before, after);
		return 1;
	}
	free(block);
	return 0;
}

/* What was freed can be mapped by the program; nine tenths of what a limit leaves can be had. */
static int limited(int resource, const char *name)
{
	char *block, *own;

	if (limit_set(resource, status_read(name) * MIB + 200 * MIB))
		return 77;
	block = block_make(180 * MIB);
	if (!block)
		return fail("180 of 200 MiB");
	if (malloc(180 * MIB) || errno != ENOMEM)
		return fail("360 of 200 MiB");
	free(block);
	own = mmap(NULL, 170 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (own == MAP_FAILED)
		return fail("170 MiB, after 180 were freed");
	munmap(own, 170 * MIB);
	return block_make(180 * MIB) ? 0 : fail("180 MiB again");
}

/* A limit that the program sets itself, by each function, leaves it most. */
static int limit_itself(int function)
{
	const struct rlimit limit = {1024 * MIB, 1024 * MIB};
	const struct rlimit64 limit64 = {1024 * MIB, 1024 * MIB};
	int failed = 1;

	switch (function) {
	case '1': failed = setrlimit(RLIMIT_AS, &limit); break;
	case '2': failed = setrlimit64(RLIMIT_AS, &limit64); break;
	case '3': failed = prlimit(0, RLIMIT_AS, &limit, NULL); break;
	case '4': failed = prlimit64(getpid(), RLIMIT_AS, &limit64, NULL); break;
	default: break;
	}
	if (failed)
		return 77;
	if (!block_make(600 * MIB))
		return fail("600 MiB of 1 GiB");
	return malloc(600 * MIB) ? fail("1200 MiB of 1 GiB") : 0;
}

/* A child of vfork(2) has its parent's memory, and a limit of its own. */
static int limit_of_child(void)
{
	const struct rlimit limit = {MIB, MIB};
	pid_t child = vfork();

	if (!child)
		_exit(setrlimit(RLIMIT_AS, &limit) != 0);
	for (size_t count = 0; count < 100000; count++)
		if (!block_make(100))
			return fail("100 bytes");
	return waitpid(child, NULL, 0) == child ? 0 : fail("vfork()");
}

/* The address space is that of a small program, and so is its core file. */
static int small(void)
{
	size_t size = block_make(MIB) ? status_read("VmSize:") : 0;

	if (size - 1 < 63)
		abort();
	printf("an address space of %zu MiB\n", size);
	return 1;
}

/* A write that runs off what is used ends the program. */
static int run_off(void)
{
	volatile char *block = malloc(100);
	int status;
	pid_t child = fork();

	if (!child) {
		for (size_t at = 0; at < 64 * MIB; at += 16)
			block[at] = 1;
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status)) {
		puts("64 MiB behind a block can be written to");
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	switch (argc > 1 ? argv[1][0] : 0) {
	case 'l': return lock_little();
	case 'r': return lock_all();
	case 'a': return limited(RLIMIT_AS, "VmSize:");
	case 'd': return limited(RLIMIT_DATA, "VmData:");
	case 'c': return small();
	case 'w': return run_off();
	case 'i': return limit_itself(argv[1][1]);
	case 'v': return limit_of_child();
	default: return 2;
	}
}
