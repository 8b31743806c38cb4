/* SPDX-License-Identifier: MIT */
/*
 * support.c - the runner and the helpers of support.h.
 */
#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/annotate.h"
#include "os/setting.h"

#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_COUNT_ERRORS 0
#endif

/* Out of reach where the installed library is tested. */
#pragma weak bh_setting_read

int suite_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

Suite *suite_of(const char *name, TCase **tcase, double seconds)
{
	Suite *suite = suite_create(name);

	/* As tests/local.mk has it, for a program that is run by hand. */
	setenv("BHEAP_REDZONE", "0", false);
	if (bh_setting_read)
		bh_setting_read();
	*tcase = tcase_create(name);
	tcase_set_timeout(*tcase, is_watched() || is_emulated() ? seconds * 20 : seconds);
	suite_add_tcase(suite, *tcase);
	return suite;
}

/* Volatile: the compiler must not see the pointer, with -flto either; many are wrong on purpose. */
int heap_free(bheap_t *heap, const void *ptr)
{
	void *volatile hidden = (void *)(uintptr_t)ptr;

	return bheap_free(heap, hidden);
}

int classic_free(const void *ptr)
{
	return bfree((void *)(uintptr_t)ptr);
}

/* ---- numbers ---- */

uint64_t random_next(uint64_t *state)
{
	uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

size_t random_below(uint64_t *state, size_t limit)
{
	return (size_t)(random_next(state) % limit);
}

uint64_t environment_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- content ---- */

static unsigned char pattern_byte(uint64_t seed, size_t index)
{
	return (unsigned char)((seed >> (index & 7) * 8) + index / 8);
}

void pattern_fill(void *start, size_t size, uint64_t seed)
{
	for (size_t index = 0; index < size; index++)
		((unsigned char *)start)[index] = pattern_byte(seed, index);
}

bool pattern_holds(const void *start, size_t size, uint64_t seed)
{
	for (size_t index = 0; index < size; index++)
		if (((const unsigned char *)start)[index] != pattern_byte(seed, index))
			return false;
	return true;
}

/* ---- faults ---- */

void faults_record(const struct bheap_fault *fault, void *arg)
{
	struct faults *faults = arg;

	if (strlen(fault->text) > 80)
		ck_abort_msg("longer than a line: %s", fault->text);
	faults->count++;
	faults->last = *fault;
}

void faults_expect(struct faults *faults)
{
	*faults = (struct faults){0};
	bheap_set_fault_handler(NULL, faults_record, faults);
}

struct batch {
	void *blocks[64];
	size_t count;
};

static int block_collect(const struct bheap_block *block, void *arg)
{
	struct batch *batch = arg;

	if (block->used)
		batch->blocks[batch->count++] = (void *)(uintptr_t)block->address;
	return batch->count == 64;
}

void heap_empty(bheap_t *heap)
{
	struct batch batch;

	do {
		batch.count = 0;
		bheap_walk(heap, block_collect, &batch);
		for (size_t index = 0; index < batch.count; index++)
			require(!bheap_free(heap, batch.blocks[index]));
	} while (batch.count);
}

/* ---- children ---- */

static void output_read(int fd, char *into, size_t size)
{
	ssize_t length = pread(fd, into, size - 1, 0);

	ck_assert_int_ge(length, 0);
	into[length] = '\0';
	close(fd);
}

/*
 * In a build that counts what is reached; a child that ends by _exit() or abort() would not tell.
 */
extern void __gcov_dump(void) __attribute__((weak));

static void coverage_keep(int signal)
{
	(void)signal;
	if (__gcov_dump)
		__gcov_dump();
}

void child_exit(int code)
{
	coverage_keep(0);
	_exit(code);
}

void child_run(struct child *child, int (*body)(void *arg), void *arg)
{
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	pid_t pid;

	ck_assert(out >= 0 && err >= 0);
	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		int code;

		signal(SIGALRM, SIG_DFL); /* Check's handler would kill the whole group */
		if (__gcov_dump)
			signal(SIGABRT, coverage_keep);
		dup2(out, STDOUT_FILENO);
		dup2(err, STDERR_FILENO);
		code = body(arg);
		fflush(NULL);
		child_exit(code);
	}
	ck_assert_int_eq(waitpid(pid, &child->status, 0), pid);
	output_read(out, child->out, sizeof(child->out));
	output_read(err, child->err, sizeof(child->err));
}

void child_assert_exited(const struct child *child, int code)
{
	ck_assert_msg(WIFEXITED(child->status) && WEXITSTATUS(child->status) == code,
		      "wait status 0x%x instead of exit code %d; it said: %s%s", child->status,
		      code, child->out, child->err);
}

void child_assert_killed(const struct child *child, int signal)
{
	ck_assert_msg(WIFSIGNALED(child->status) && WTERMSIG(child->status) == signal,
		      "wait status 0x%x instead of signal %d; it said: %s%s", child->status, signal,
		      child->out, child->err);
}

void child_assert_said(const struct child *child, const char *text)
{
	if (is_emulated() && WIFSIGNALED(child->status))
		ck_assert_mem_eq(child->err, text, strlen(text));
	else
		ck_assert_str_eq(child->err, text);
}

/* Since Valgrind 3.17. */
#ifndef VALGRIND_CLO_CHANGE
#define VALGRIND_CLO_CHANGE(option) ((void)(option))
#endif

void leaks_ignore(void)
{
	VALGRIND_CLO_CHANGE("--leak-check=no");
}

/* ---- the process ---- */

static void *thread_nothing(void *arg)
{
	return arg;
}

void threads_begin(void)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, thread_nothing, NULL), 0);
	pthread_join(thread, NULL);
}

size_t mappings_count(void)
{
	size_t lines = 0;
	FILE *maps;
	int byte;

	if (is_watched())
		return 0;
	maps = fopen("/proc/self/maps", "re");
	ck_assert_ptr_nonnull(maps);
	while ((byte = getc(maps)) != EOF)
		lines += byte == '\n';
	fclose(maps);
	return lines;
}

size_t descriptors_count(void)
{
	DIR *folder = opendir("/proc/self/fd");
	size_t entries = 0;

	ck_assert_ptr_nonnull(folder);
	while (readdir(folder))
		entries++;
	closedir(folder);
	return entries;
}

const char *protection_of(const void *address)
{
	static char protection[5];
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	bool found = false;

	ck_assert_ptr_nonnull(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		uintmax_t start, end;

		if (sscanf(line, "%jx-%jx %4s", &start, &end, protection) == 3)
			found = (uintptr_t)address >= start && (uintptr_t)address < end;
	}
	fclose(maps);
	return found ? protection : "";
}

extern void __tsan_init(void) __attribute__((weak));

bool is_thread_sanitized(void)
{
	return __tsan_init;
}

bool is_watched(void)
{
	return bh_annotate_wanted() || RUNNING_ON_VALGRIND || is_thread_sanitized();
}

unsigned watched_errors(void)
{
	return VALGRIND_COUNT_ERRORS;
}

__attribute__((noinline)) void call_from_depth(unsigned depth, void (*call)(void))
{
	volatile char frame[500];

	frame[0] = (char)depth;
	if (depth)
		call_from_depth(depth - 1, call);
	else
		call();
	frame[1] = frame[0];
}

void pause_for(size_t turns)
{
	for (volatile size_t left = turns; left; left--)
		continue;
}

bool system_call_refuse(int number, unsigned error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}

bool is_emulated(void)
{
	void *list;
	size_t size;

	return syscall(SYS_get_robust_list, 0, &list, &size) == -1 && errno == ENOSYS;
}

static char path[64];

const char *path_make(void)
{
	snprintf(path, sizeof(path), "./test-%ju.heap", (uintmax_t)getpid());
	path_remove();
	return path;
}

void path_remove(void)
{
	unlink(path);
}

bheap_t *path_heap(size_t size, unsigned flags)
{
	bheap_t *heap = bheap_open(path, size, O_RDWR | O_CREAT, 0600, flags);

	ck_assert_msg(heap, "%s", strerrorname_np(errno));
	return heap;
}

bheap_t *path_heap_read_only(void)
{
	bheap_t *heap = bheap_open(path, 0, O_RDONLY, 0, 0);

	ck_assert_msg(heap, "%s", strerrorname_np(errno));
	return heap;
}

BH_UNCHECKED
void memory_change(void *at, unsigned char byte)
{
	volatile unsigned char *to = at;

	bh_annotate_enter(true);
	*to = *to == byte ? (unsigned char)~byte : byte;
	bh_annotate_leave(true);
}

BH_UNCHECKED
void memory_scribble(void *at, const void *bytes, size_t size)
{
	volatile unsigned char *to = at;
	const unsigned char *from = bytes;

	bh_annotate_enter(true);
	for (size_t index = 0; index < size; index++)
		to[index] = from[index];
	bh_annotate_leave(true);
}
