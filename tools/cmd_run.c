/* SPDX-License-Identifier: MIT */
/*
 * cmd_run.c - "bheap run": a program on a bounded heap, and what became of the heap.
 */
#include <err.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "child.h"
#include "command.h"
#include "interval.h"
#include "output.h"
#include "picture.h"
#include "size_text.h"
#include "source.h"
#include "summary.h"
#include "telling.h"

struct run {
	const char *size;        /* as given, or NULL */
	bool automatic;          /* what earlier runs needed */
	char automatic_size[32]; /* "": none is known */
	struct remembered remembered;
	struct output report, snapshot; /* open before the program begins */
	bool json, guard, callers, aborts, uncached;
	char **argv;
	struct handover handover, trails; /* the second with callers only */
	struct interval interval;
	struct summary summary;
};

/* Bytes of a snapshot at most: some ten million blocks. */
#define SNAPSHOT_MOST ((size_t)1 << 29)

/* ---- the run ---- */

static FILE *report_stream(const struct run *run)
{
	return run->report.path ? run->report.stream : stderr;
}

/* The status stays the program's, even if its report could not be kept: a message tells. */
static void report_keep(struct run *run)
{
	FILE *stream = report_stream(run);

	(run->json ? summary_json : summary_print)(stream, &run->summary);
	if (run->automatic && !run->json)
		remembered_print(stream, &run->remembered);
	if (run->report.path)
		output_keep(&run->report);
}

/* Copies what the program left in the area, where it would be. */
static void snapshot_copy(struct run *run, char *text, size_t size)
{
	struct picture picture;
	FILE *stream = NULL;

	if (text && handover_read(&run->handover, text, size, 0) == size)
		stream = fmemopen(text, size, "r");
	if (!stream) {
		warn("%s", run->snapshot.path);
	} else if (picture_read(&picture, run->snapshot.path, stream)) {
		picture_write(&picture, run->snapshot.stream);
		output_keep(&run->snapshot);
		picture_release(&picture);
	}
	if (stream)
		fclose(stream);
}

static void snapshot_keep(struct run *run)
{
	const struct record *record =
		records_find(&run->summary.records, handover_process(&run->summary.end));
	size_t size = record ? record->snapshot_size : 0;
	char *text;

	if (!size || size > SNAPSHOT_MOST) {
		warnx("%s: %s left no snapshot", run->snapshot.path, run->argv[0]);
		return;
	}
	text = malloc(size);
	snapshot_copy(run, text, size);
	free(text);
}

static char *setting(const char *name, const char *value)
{
	char *text;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		err(STATUS_FAILED, "%s", name);
	return text;
}

/* What the program is told; the number of settings. */
static size_t settings_make(const struct run *run, char **environment)
{
	size_t count = 0;

	if (run->size || run->automatic)
		environment[count++] =
			setting("BHEAP_MALLOC_SIZE", run->size ? run->size : run->automatic_size);
	if (run->guard)
		environment[count++] = setting("BHEAP_MALLOC_GUARD", "1");
	if (run->aborts) {
		environment[count++] = setting("BHEAP_MALLOC_ABORT", "1");
		environment[count++] = setting("BHEAP_ABORT", "1");
	}
	if (run->uncached)
		environment[count++] = setting("BHEAP_MALLOC_CACHE", "0");
	if (run->snapshot.path)
		environment[count++] = setting("BHEAP_MALLOC_SNAPSHOT", "1");
	return count;
}

/* For the next run: of all processes the heap that reached furthest. */
static void needs_keep(struct run *run)
{
	const struct records *records = &run->summary.records;
	uint64_t needed = 0, refused = 0;

	for (size_t index = 0; index < records->count; index++) {
		const uint64_t *figures = records->list[index].figures;

		needed = figures[FIGURE_EXTENT] > needed ? figures[FIGURE_EXTENT] : needed;
		refused += figures[FIGURE_FAILURES];
	}
	remembered_keep(&run->remembered, needed, refused && run->remembered.granted);
}

static void program_report(struct run *run)
{
	handover_end(&run->handover, &run->summary.end);
	records_read(&run->summary.records, &run->handover);
	unreached_find(&run->summary.unreached, &run->handover, handover_process(&run->summary.end),
		       ACCOUNT_ALLOCATIONS);
	if (run->automatic)
		needs_keep(run);
	if (run->snapshot.path)
		snapshot_keep(run);
	if (run->callers)
		fault_stacks_read(&run->summary.stacks, &run->trails,
				  handover_process(&run->summary.end));
	report_keep(run);
	fault_stacks_release(&run->summary.stacks);
	unreached_release(&run->summary.unreached);
	records_release(&run->summary.records);
}

/* Hands down what the program is to write to. False after a message. */
static bool handovers_open(struct run *run, struct child *child)
{
	if (!handover_open(&run->handover, "BHEAP_MALLOC_TABLE",
			   run->snapshot.path ? SNAPSHOT_MOST : 0, false))
		return false;
	handover_give(&run->handover, child);
	if (!run->callers)
		return true;
	if (!handover_open(&run->trails, "BHEAP_TRAIL_TABLE", TELLING_AREA, false)) {
		handover_close(&run->handover);
		return false;
	}
	child->other_fd = run->trails.fd;
	return true;
}

static void handovers_close(struct run *run)
{
	handover_close(&run->handover);
	if (run->callers)
		handover_close(&run->trails);
}

static int program_run(struct run *run, const char *library)
{
	char *environment[9] = {NULL};
	struct child child = {.environment = environment, .preload = library};
	size_t count = settings_make(run, environment);

	if (!handovers_open(run, &child))
		return STATUS_FAILED;
	interval_begin(&run->interval, report_stream(run), run->json, &run->handover);
	child.watch = interval_watch;
	child.watch_arg = &run->interval;
	environment[count] = run->handover.setting;
	if (run->callers)
		environment[count + 1] = run->trails.setting;
	run->summary.overridden = environment;
	run->summary.sized = run->automatic ? run->remembered.granted != 0
					    : run->size || getenv("BHEAP_MALLOC_SIZE");
	child_run(&child, run->argv, &run->summary.end);
	if (run->summary.end.ran)
		program_report(run);
	handovers_close(run);
	while (count)
		free(environment[--count]);
	return run->summary.end.status;
}

static const struct option options[] = {
	{"size", required_argument, NULL, 's'}, {"report", required_argument, NULL, 'r'},
	{"json", no_argument, NULL, 'j'},       {"snapshot", required_argument, NULL, 'S'},
	{"guard", no_argument, NULL, 'g'},      {"callers", no_argument, NULL, 'c'},
	{"abort", no_argument, NULL, 'a'},      {"no-cache", no_argument, NULL, 'C'},
	{"processes", no_argument, NULL, 'p'},  {"every", required_argument, NULL, 'e'},
	{"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
};

static bool size_take(struct run *run, const char *text)
{
	size_t size;

	run->automatic = strcmp(text, "auto") == 0;
	run->size = run->automatic ? NULL : text;
	if (run->automatic || size_parse(text, &size))
		return true;
	warnx("--size: '%s' is no size from 1 to " SIZE_TEXT_LARGEST ", nor 'auto'", text);
	return false;
}

/* What is known of the command, with the options by which it needs more or less. */
static bool automatic_find(struct run *run)
{
	char how[] = {run->guard ? 'g' : '-', run->uncached ? 'C' : '-', '\0'};

	if (!run->automatic)
		return true;
	if (!remembered_find(&run->remembered, run->argv, how))
		return false;
	run->summary.remembered = &run->remembered;
	if (run->remembered.granted)
		snprintf(run->automatic_size, sizeof(run->automatic_size), "%zu",
			 run->remembered.granted);
	return true;
}

/* False after a message. */
static bool callers_check(const struct run *run)
{
	if (run->callers && !run->guard)
		warnx("run: --callers needs --guard; 'bheap size --callers' needs none");
	else if (run->callers && !source_available())
		warnx("run: no callers: built without libdw, or for glibc before 2.35");
	return !run->callers || (run->guard && source_available());
}

/* STATUS_OK, or what to end with; *helped: the help was asked for. */
static int options_read(struct run *run, int argc, char **argv, bool *helped)
{
	int option;

	while ((option = getopt_long(argc, argv, "+s:r:jgcape:h", options, NULL)) != -1) {
		switch (option) {
		case 's':
			if (!size_take(run, optarg))
				return STATUS_USAGE;
			break;
		case 'r': run->report.path = optarg; break;
		case 'j': run->json = true; break;
		case 'S': run->snapshot.path = optarg; break;
		case 'g': run->guard = true; break;
		case 'c': run->callers = run->summary.with_stacks = true; break;
		case 'a': run->aborts = true; break;
		case 'C': run->uncached = true; break;
		case 'p': run->summary.each = true; break;
		case 'e':
			if (!interval_parse(&run->interval, optarg))
				return STATUS_USAGE;
			break;
		case 'h': *helped = true; return command_help(&command_run);
		default: return command_misused(&command_run);
		}
	}
	run->argv = run->summary.argv = argv + optind;
	if (!callers_check(run))
		return STATUS_USAGE;
	if (run->argv[0])
		return STATUS_OK;
	warnx("run: which program?");
	return command_misused(&command_run);
}

static int run_main(int argc, char **argv)
{
	struct run run = {0};
	const char *library;
	bool helped = false;
	int status = options_read(&run, argc, argv, &helped);

	if (status || helped)
		return status;
	library = run.callers ? child_library("BHEAP_GUARD_LIBRARY", PKGLIBDIR "/bheap-guard.so")
			      : child_library("BHEAP_MALLOC_LIBRARY", LIBDIR "/libbheap-malloc.so");
	if (!library)
		return STATUS_FAILED;
	status = STATUS_FAILED;
	if (automatic_find(&run) && output_open(&run.report, run.report.path) &&
	    output_open(&run.snapshot, run.snapshot.path))
		status = program_run(&run, library);
	output_drop(&run.report);
	output_drop(&run.snapshot);
	remembered_release(&run.remembered);
	return status;
}

const struct command command_run = {
	.name = "run",
	.summary = "run a program in a bounded heap and print a summary of the heap",
	.usage =
		"[OPTION]... PROGRAM [ARGUMENT]...\n"
		"Runs PROGRAM with its malloc() in a bounded heap, and then prints a summary,\n"
		"also if Ctrl-C ends it.\n"
		"The exit status is that of the program, or 128 + N if signal N ended it.\n\n"
		"  -s, --size=SIZE      size in bytes, or with K, M or G (default: " SIZE_TEXT_LARGEST
		",\n"
		"                       of which only the used part takes memory);\n"
		"                       auto: what earlier runs of the command needed, and 10 %\n"
		"                       more; no size for the first run\n"
		"  -r, --report=FILE    write the summary to FILE, not to standard error\n"
		"  -j, --json           print the summary as JSON\n"
		"  -p, --processes      print a line for each other process, not each program\n"
		"  -e, --every=TIME     print a line each TIME (1s, 500ms, 5m) while it runs, too\n"
		"  -g, --guard          detect writes past the end of blocks and to freed blocks\n"
		"  -c, --callers        with --guard: print which calls allocated and freed the\n"
		"                       block of each fault\n"
		"  -a, --abort          abort the program if the heap is full, and at a fault;\n"
		"                       by default malloc() fails, and the program continues\n"
		"      --snapshot=FILE  write a list of the blocks to FILE when the program ends;\n"
		"                       'bheap show FILE' displays them\n"
		"      --no-cache       disable the caches of freed blocks of threads\n"
		"  -h, --help           print this text\n",
	.run = run_main,
};
