/* SPDX-License-Identifier: MIT */
/*
 * cmd_run.c - "bheap run": a program on a bounded heap, and what became of the heap, as text or
 * JSON.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "command.h"
#include "output.h"
#include "picture.h"
#include "records.h"
#include "size_text.h"
#include "utf8.h"

struct run {
	const char *size;               /* as given, or NULL */
	struct output report, snapshot; /* open before the program begins */
	bool json, guard, aborts, uncached;
	char **argv;
	struct child_end end;
	struct records records;
};

/* ---- as text ---- */

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void heap_print(FILE *stream, const struct record *record)
{
	const uint64_t *figures = record->figures;
	char one[SIZE_TEXT_MAX], other[SIZE_TEXT_MAX];
	uint64_t scattered = figures[FIGURE_FREE] - figures[FIGURE_LARGEST_FREE];

	fprintf(stream, "  %-16s %s\n", "heap", size_print(one, figures[FIGURE_SIZE]));
	fprintf(stream, "  %-16s %s (%.1f %% of the heap), within the first %s\n", "peak",
		size_print(one, figures[FIGURE_PEAK_USED]),
		percent(figures[FIGURE_PEAK_USED], figures[FIGURE_SIZE]),
		size_print(other, figures[FIGURE_EXTENT]));
	fprintf(stream,
		"  %-16s %" PRIu64 " allocated, %" PRIu64 " freed, %" PRIu64
		" live at the end (%s)\n",
		"blocks", figures[FIGURE_ALLOCATIONS], figures[FIGURE_FREES],
		figures[FIGURE_LIVE_BLOCKS], size_print(one, figures[FIGURE_USED]));
	fprintf(stream, "  %-16s %.1f %% (%s of %s free at the end are not in the largest block)\n",
		"fragmentation", percent(scattered, figures[FIGURE_FREE]),
		size_print(one, scattered), size_print(other, figures[FIGURE_FREE]));
	fprintf(stream, "  %-16s %" PRIu64 " requests refused, %" PRIu64 " faults\n", "failures",
		figures[FIGURE_FAILURES], figures[FIGURE_FAULTS]);
}

static void others_print(FILE *stream, const struct run *run)
{
	char peak[SIZE_TEXT_MAX];
	bool heading = false;

	for (size_t index = 0; index < run->records.count; index++) {
		const struct record *record = &run->records.list[index];

		if (record->pid == run->end.pid)
			continue;
		if (!heading)
			fprintf(stream,
				"  other processes, each with a heap of its own:\n"
				"  %8s  %-20s %14s %12s %9s %7s\n",
				"process", "program", "peak", "allocations", "refused", "faults");
		heading = true;
		fprintf(stream, "  %8ld  %-20s %14s %12" PRIu64 " %9" PRIu64 " %7" PRIu64 "\n",
			record->pid, record->program,
			size_print(peak, record->figures[FIGURE_PEAK_USED]),
			record->figures[FIGURE_ALLOCATIONS], record->figures[FIGURE_FAILURES],
			record->figures[FIGURE_FAULTS]);
	}
}

static double cpu_seconds(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       1e-6 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void summary_print(FILE *stream, const struct run *run)
{
	const struct record *record = records_find(&run->records, run->end.pid);
	const struct rusage *usage = &run->end.usage;
	char resident[SIZE_TEXT_MAX];

	if (run->end.signal)
		fprintf(stream, "bheap: %s was ended by signal %d (%s)\n", run->argv[0],
			run->end.signal, strsignal(run->end.signal));
	else
		fprintf(stream, "bheap: %s ended with status %d\n", run->argv[0], run->end.status);
	if (record && !record->figures[FIGURE_ENDED])
		fputs("  without telling (a signal, or _exit()); the last that is known of its heap:\n",
		      stream);
	if (record)
		heap_print(stream, record);
	else
		fputs("  it left no record of its heap: it takes no preloaded library (statically\n"
		      "  linked, or set-user-ID), or has a malloc() of its own\n",
		      stream);
	fprintf(stream, "  %-16s %.2f s of processor time in %.2f s, %s resident at the peak\n",
		"process", cpu_seconds(usage), run->end.seconds,
		size_print(resident, (uint64_t)usage->ru_maxrss * 1024));
	others_print(stream, run);
}

/* ---- as JSON ---- */

static struct json_object *record_json(const struct record *record)
{
	struct json_object *object = json_object_new_object();
	const uint64_t *figures = record->figures;
	double fragmentation =
		1.0 - (double)figures[FIGURE_LARGEST_FREE] / (double)figures[FIGURE_FREE];

	json_object_object_add(object, "process", json_object_new_int64(record->pid));
	json_object_object_add(object, "program", utf8_json(record->program));
	for (unsigned index = 0; index < FIGURES; index++)
		json_object_object_add(object, figure_names[index],
				       index == FIGURE_ENDED
					       ? json_object_new_boolean(figures[index] != 0)
					       : json_object_new_uint64(figures[index]));
	json_object_object_add(object, "fragmentation",
			       json_object_new_double(figures[FIGURE_FREE] ? fragmentation : 0));
	return object;
}

static void summary_json(FILE *stream, const struct run *run)
{
	struct json_object *object = json_object_new_object(), *others = json_object_new_array();
	const struct record *own = records_find(&run->records, run->end.pid);
	const struct rusage *usage = &run->end.usage;

	json_object_object_add(object, "program", utf8_json(run->argv[0]));
	json_object_object_add(object, "status", json_object_new_int(run->end.status));
	json_object_object_add(object, "signal", json_object_new_int(run->end.signal));
	json_object_object_add(object, "seconds", json_object_new_double(run->end.seconds));
	json_object_object_add(object, "cpu_seconds", json_object_new_double(cpu_seconds(usage)));
	json_object_object_add(object, "peak_resident",
			       json_object_new_int64((int64_t)usage->ru_maxrss * 1024));
	json_object_object_add(object, "heap", own ? record_json(own) : NULL);
	for (size_t index = 0; index < run->records.count; index++)
		if (&run->records.list[index] != own)
			json_object_array_add(others, record_json(&run->records.list[index]));
	json_object_object_add(object, "other_processes", others);
	fprintf(stream, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}

/* ---- the run ---- */

/* The status stays the program's, even if its report could not be kept: a message tells. */
static void report_keep(struct run *run)
{
	FILE *stream = run->report.path ? run->report.stream : stderr;

	(run->json ? summary_json : summary_print)(stream, run);
	if (run->report.path)
		output_keep(&run->report);
}

/* Reads the snapshot that the program left, and writes it where it is wanted. */
static void snapshot_keep(struct run *run, const char *folder)
{
	struct picture picture;
	char *path;

	if (asprintf(&path, "%s/%ld.snapshot", folder, run->end.pid) < 0)
		return;
	if (access(path, R_OK))
		warnx("%s: %s left no snapshot", run->snapshot.path, run->argv[0]);
	else if (picture_load(&picture, path, false)) {
		picture_write(&picture, run->snapshot.stream);
		output_keep(&run->snapshot);
		picture_release(&picture);
	}
	free(path);
}

static char *setting(const char *name, const char *value)
{
	char *text;

	if (asprintf(&text, "%s=%s", name, value) < 0)
		err(STATUS_FAILED, "%s", name);
	return text;
}

static int program_run(struct run *run, const char *library)
{
	char *folder = records_folder_make(), *environment[7] = {NULL};
	struct child child = {.environment = environment, .preload = library};
	size_t count = 0;

	if (!folder)
		return STATUS_FAILED;
	environment[count++] = setting("BHEAP_MALLOC_REPORT", folder);
	if (run->size)
		environment[count++] = setting("BHEAP_MALLOC_SIZE", run->size);
	if (run->guard)
		environment[count++] = setting("BHEAP_MALLOC_GUARD", "1");
	if (run->aborts)
		environment[count++] = setting("BHEAP_MALLOC_ABORT", "1");
	if (run->uncached)
		environment[count++] = setting("BHEAP_MALLOC_CACHE", "0");
	if (run->snapshot.path)
		environment[count++] = setting("BHEAP_MALLOC_SNAPSHOT", "1");
	child_run(&child, run->argv, &run->end);
	records_read(&run->records, folder);
	if (run->snapshot.path && run->end.ran)
		snapshot_keep(run, folder);
	records_folder_remove(folder);
	if (run->end.ran)
		report_keep(run);
	records_release(&run->records);
	while (count)
		free(environment[--count]);
	free(folder);
	return run->end.status;
}

static const struct option options[] = {
	{"size", required_argument, NULL, 's'},
	{"report", required_argument, NULL, 'r'},
	{"json", no_argument, NULL, 'j'},
	{"snapshot", required_argument, NULL, 'S'},
	{"guard", no_argument, NULL, 'g'},
	{"abort", no_argument, NULL, 'a'},
	{"no-cache", no_argument, NULL, 'C'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* STATUS_OK, or what to end with; *helped: the help was asked for. */
static int options_read(struct run *run, int argc, char **argv, bool *helped)
{
	size_t size;
	int option;

	while ((option = getopt_long(argc, argv, "+s:r:jgah", options, NULL)) != -1) {
		switch (option) {
		case 's':
			if (!size_parse(optarg, &size)) {
				warnx("--size: '%s' is no size from 1 to " SIZE_TEXT_LARGEST,
				      optarg);
				return STATUS_USAGE;
			}
			run->size = optarg;
			break;
		case 'r': run->report.path = optarg; break;
		case 'j': run->json = true; break;
		case 'S': run->snapshot.path = optarg; break;
		case 'g': run->guard = true; break;
		case 'a': run->aborts = true; break;
		case 'C': run->uncached = true; break;
		case 'h': *helped = true; return command_help(&command_run);
		default: return command_misused(&command_run);
		}
	}
	run->argv = argv + optind;
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
	library = child_library("BHEAP_MALLOC_LIBRARY", LIBDIR "/libbheap-malloc.so");
	if (!library)
		return STATUS_FAILED;
	status = STATUS_FAILED;
	if (output_open(&run.report, run.report.path) &&
	    output_open(&run.snapshot, run.snapshot.path))
		status = program_run(&run, library);
	output_drop(&run.report);
	output_drop(&run.snapshot);
	return status;
}

const struct command command_run = {
	.name = "run",
	.summary = "run a program on a bounded heap and tell what became of it",
	.usage =
		"[OPTION]... PROGRAM [ARGUMENT]...\n"
		"Runs PROGRAM with its malloc() in a bounded heap, and ends with a summary.\n"
		"The exit status is the program's; 128 + N when signal N ended it.\n\n"
		"  -s, --size=SIZE    the heap: bytes, or with K, M or G (default: " SIZE_TEXT_LARGEST
		", as it is needed)\n"
		"  -r, --report=FILE  the summary goes to FILE, not to standard error\n"
		"  -j, --json         the summary is JSON\n"
		"  -g, --guard        find writes behind the end of blocks\n"
		"  -a, --abort        report and abort when the heap is spent (default: malloc() fails)\n"
		"      --snapshot=FILE  write down the blocks of the heap at the end ('bheap show FILE')\n"
		"      --no-cache     no per-thread cache of freed blocks\n"
		"  -h, --help         this text\n",
	.run = run_main,
};
