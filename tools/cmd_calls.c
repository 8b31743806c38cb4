/* SPDX-License-Identifier: MIT */
/*
 * cmd_calls.c - "bheap calls": how often a program calls each function of malloc()'s family, for
 * how many bytes.
 */
#include <err.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "output.h"
#include "recording.h"
#include "size_text.h"
#include "tally_text.h"
#include "utf8.h"

struct counts {
	struct output output; /* open before the program begins; none: standard error */
	bool json;
	char **argv;
	struct recording recording;
};

static void calls_print(FILE *stream, const struct counts *calls)
{
	const struct trace *trace = &calls->recording.traces[0];
	char peak[SIZE_TEXT_MAX], live[SIZE_TEXT_MAX], name[UTF8_TEXT_MAX];

	fprintf(stream, "bheap: calls of malloc() and related functions by %s\n",
		utf8_text(name, trace->name));
	if (calls->recording.processes > 1)
		fprintf(stream, "  of %zu processes the one that needed most\n",
			calls->recording.processes);
	fprintf(stream, "  at the peak %s asked for; %zu block%s at most\n",
		size_print(peak, trace->peak_size), trace->peak_blocks, plural(trace->peak_blocks));
	fprintf(stream, "  at the end %s in %zu block%s\n\n", size_print(live, trace->live_size),
		trace->live_blocks, plural(trace->live_blocks));
	tally_print(stream, &trace->tally);
}

static void calls_json(FILE *stream, const struct counts *calls)
{
	struct json_object *object = json_object_new_object();
	const struct trace *trace = &calls->recording.traces[0];

	json_object_object_add(object, "name", utf8_json(trace->name));
	json_object_object_add(object, "processes",
			       json_object_new_uint64(calls->recording.processes));
	json_object_object_add(object, "not_measured", unreached_json(&calls->recording.unreached));
	json_object_object_add(object, "peak_live", json_object_new_uint64(trace->peak_size));
	json_object_object_add(object, "peak_blocks", json_object_new_uint64(trace->peak_blocks));
	json_object_object_add(object, "live", json_object_new_uint64(trace->live_size));
	json_object_object_add(object, "live_blocks", json_object_new_uint64(trace->live_blocks));
	tally_json(object, &trace->tally);
	fprintf(stream, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}

static bool calls_count(struct counts *calls)
{
	bool to_file = calls->output.path, good;

	if (setenv(TALLY_VARIABLE, "1", 1)) {
		warn(TALLY_VARIABLE);
		return false;
	}
	if (!recording_make(&calls->recording, false, calls->argv))
		return false;
	(calls->json ? calls_json : calls_print)(to_file ? calls->output.stream : stderr, calls);
	good = !to_file || output_keep(&calls->output);
	recording_release(&calls->recording);
	return good;
}

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int calls_main(int argc, char **argv)
{
	struct counts calls = {.json = false};
	const char *path = NULL;
	bool good;
	int option;

	while ((option = getopt_long(argc, argv, "+o:jh", options, NULL)) != -1) {
		switch (option) {
		case 'o': path = optarg; break;
		case 'j': calls.json = true; break;
		case 'h': return command_help(&command_calls);
		default: return command_misused(&command_calls);
		}
	}
	calls.argv = argv + optind;
	if (!calls.argv[0]) {
		warnx("calls: which program?");
		return command_misused(&command_calls);
	}
	good = output_open(&calls.output, path) && calls_count(&calls);
	output_drop(&calls.output);
	return good ? STATUS_OK : STATUS_FAILED;
}

const struct command command_calls = {
	.name = "calls",
	.summary = "count a program's calls of malloc(), by function and by size",
	.usage = "[OPTION]... PROGRAM [ARGUMENT]...\n"
		 "Runs PROGRAM with the malloc() of the C library. Counts its calls of malloc()\n"
		 "and related functions, the bytes of each function, and the requests of each\n"
		 "size; if there are several processes, of the one that needs most memory.\n\n"
		 "  -o, --output=FILE  write the counts to FILE, not to standard error\n"
		 "  -j, --json         print the counts as JSON\n"
		 "  -h, --help         print this text\n",
	.run = calls_main,
};
