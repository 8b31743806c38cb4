/* SPDX-License-Identifier: MIT */
/*
 * cmd_check.c - "bheap check" and "bheap repair". Keeps: a check changes nothing, not even what
 * opening the heap would make whole: it is made on a copy. A copy of a heap at work may catch an
 * operation half done, so a fault counts only when no process was attached, or when it is found
 * again with the heap locked.
 */
#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "command.h"
#include "utf8.h"

#define TRIES 6
#define PAUSE_NS 20000000

enum verdict { SOUND, FAULTY, BUSY, NO_COPY };

static void heap_verify(const bheap_t *heap, struct fault_log *log)
{
	struct bheap_fault fault;

	if (bheap_check(heap, &fault))
		fault_log_add(log, &fault);
}

/* Says which damage an opening repairs by itself, since only the copy was repaired here. */
static void fault_reword(struct bheap_fault *fault)
{
	if (fault->kind == BHEAP_FAULT_RECOVERED)
		strcpy(fault->text,
		       "a process died inside an operation\n"
		       "  the next process to open the heap, or 'bheap repair', recovers it");
	else if (fault->kind == BHEAP_FAULT_DAMAGED_INDEX)
		strcpy(fault->text,
		       "the index of free blocks is damaged; nothing is lost\n"
		       "  the next process to open the heap, or 'bheap repair', rebuilds it");
}

static enum verdict copy_verify(const char *path, struct fault_log *log)
{
	bool at_rest;
	int fd = heap_copy(path, &at_rest);
	bheap_t *heap;

	if (fd < 0)
		return NO_COPY;
	log->count = 0;
	heap = heap_attach_copy(fd, log);
	if (heap) {
		heap_verify(heap, log);
		bheap_close(heap);
	}
	close(fd);
	for (unsigned index = 0; index < log->count && index < FAULTS_KEPT; index++)
		fault_reword(&log->faults[index]);
	if (!log->count)
		return SOUND;
	return at_rest ? FAULTY : BUSY;
}

static enum verdict file_verify(const char *path, struct fault_log *log)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	for (unsigned attempt = 0; attempt < TRIES; attempt++) {
		enum verdict verdict = copy_verify(path, log);

		if (verdict != BUSY)
			return verdict;
		nanosleep(&pause, NULL);
	}
	return BUSY;
}

/* ---- in its place ---- */

#define PATIENCE_SECONDS 1

static char waiting_text[512];

static void waiting_tell(int number)
{
	(void)number;
	if (write(STDERR_FILENO, waiting_text, strlen(waiting_text)) < 0)
		return;
}

/* Says so when the lock is long in coming: its holder may be stopped, and then so are we. */
static void heap_verify_in_time(const char *path, const bheap_t *heap, struct fault_log *log)
{
	char name[UTF8_TEXT_MAX];

	snprintf(waiting_text, sizeof(waiting_text),
		 "bheap: %.400s: waiting for a process that is inside it\n", utf8_text(name, path));
	signal(SIGALRM, waiting_tell);
	alarm(PATIENCE_SECONDS);
	heap_verify(heap, log);
	alarm(0);
}

/* Others are at work in it, so opening repairs nothing, and the lock makes it hold still. */
static enum verdict busy_verify(const char *path, struct fault_log *log)
{
	bheap_t *heap;

	log->count = 0;
	heap = heap_attach(path, O_RDWR, log);
	if (heap) {
		heap_verify_in_time(path, heap, log);
		bheap_close(heap);
	}
	return log->count ? FAULTY : SOUND;
}

static enum verdict heap_judge(const char *path, struct fault_log *log)
{
	enum verdict verdict = file_verify(path, log);

	return verdict == BUSY ? busy_verify(path, log) : verdict;
}

static void result_print(const char *path, const char *result)
{
	char name[UTF8_TEXT_MAX];

	printf("%s: %s\n", utf8_text(name, path), result);
}

/* ---- check ---- */

static int heap_check(const char *path)
{
	struct fault_log log = {.count = 0};
	enum verdict verdict = heap_judge(path, &log);

	if (verdict == SOUND)
		result_print(path, "sound");
	else if (verdict == FAULTY)
		fault_log_tell(&log, path);
	return verdict == SOUND ? STATUS_OK : STATUS_FAILED;
}

/* ---- repair ---- */

static bool opening_repairs(const struct fault_log *log)
{
	for (unsigned index = 0; index < log->count && index < FAULTS_KEPT; index++)
		if (log->faults[index].kind == BHEAP_FAULT_RECOVERED ||
		    log->faults[index].kind == BHEAP_FAULT_DAMAGED_INDEX)
			return true;
	return false;
}

/* Opening a heap that no process uses recovers it; what is left afterwards is in the log. */
static void heap_reopen(const char *path, struct fault_log *log)
{
	bheap_t *heap = heap_attach(path, O_RDWR, log);

	if (!heap)
		return;
	log->count = 0;
	heap_verify(heap, log);
	if (bheap_sync(heap))
		warn("%s", path);
	bheap_close(heap);
}

static int heap_repair(const char *path)
{
	struct fault_log log = {.count = 0};
	enum verdict verdict = heap_judge(path, &log);

	if (verdict == SOUND)
		result_print(path, "sound, nothing was changed");
	if (verdict != FAULTY)
		return verdict == SOUND ? STATUS_OK : STATUS_FAILED;
	fault_log_tell(&log, path);
	if (!opening_repairs(&log)) {
		warnx("%s: that cannot be repaired; nothing was changed", path);
		return STATUS_FAILED;
	}
	log.count = 0;
	heap_reopen(path, &log);
	if (!log.count) {
		result_print(path, "repaired");
		return STATUS_OK;
	}
	fault_log_tell(&log, path);
	warnx("%s: not repaired: in use, or damaged in more ways than one", path);
	return STATUS_FAILED;
}

/* ---- both ---- */

static const struct option options[] = {
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* Each file in turn; the worst status. */
static int files_do(const struct command *command, int (*work)(const char *), int argc, char **argv)
{
	int option, status = STATUS_OK;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		return option == 'h' ? command_help(command) : command_misused(command);
	if (optind == argc) {
		warnx("%s: which heap?", command->name);
		return command_misused(command);
	}
	if (!command_takes_heaps(command, argv + optind))
		return command_misused(command);
	for (; optind < argc; optind++)
		if (work(argv[optind]))
			status = STATUS_FAILED;
	return command_done() ? STATUS_FAILED : status;
}

static int check_main(int argc, char **argv)
{
	return files_do(&command_check, heap_check, argc, argv);
}

static int repair_main(int argc, char **argv)
{
	return files_do(&command_repair, heap_repair, argc, argv);
}

const struct command command_check = {
	.name = "check",
	.summary = "check that heap files and shared heaps are sound; change nothing",
	.usage = "FILE...\n"
		 "Checks every invariant of the heap in FILE, or in the shared memory object\n"
		 "\"/name\".\n"
		 "The exit status is 0 if all heaps are sound, 1 if one is not sound or cannot be\n"
		 "read, and 2 for wrong usage.\n",
	.run = check_main,
};

const struct command command_repair = {
	.name = "repair",
	.summary = "make a heap whole after a crash or damage to its index",
	.usage =
		"FILE...\n"
		"Recovers the heap in FILE, or in the shared memory object \"/name\", after\n"
		"the death of a process inside an operation, and rebuilds a damaged index of free\n"
		"blocks.\n"
		"No process may be using the heap. A sound heap is not changed.\n"
		"The exit status is 0 if all heaps are sound now, 1 if one is not, and 2 for\n"
		"wrong usage.\n",
	.run = repair_main,
};
