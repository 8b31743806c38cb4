/* SPDX-License-Identifier: MIT */
/*
 * cmd_size.c - "bheap size": how large a heap a program needs, from what it does in one run, or in
 * several.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "command.h"
#include "holders.h"
#include "output.h"
#include "plot.h"
#include "progress.h"
#include "recording.h"
#include "size_text.h"
#include "utf8.h"

#define MARGIN_DEFAULT 10
#define MARGIN_MAX 1000
#define RUNS_MAX 1000
#define MOMENTS 800

struct size {
	const char *trace_path;           /* NULL: a program is run */
	struct output plot, output, save; /* open before the program begins */
	bool json;
	char **argv;
	unsigned long runs; /* 0: once */
	struct recording *recordings;
	size_t recording_count;
	size_t processes; /* that there were in one run at most; 0: a trace was read */
	struct answers answers;
	struct holders holders;
};

/* ---- telling the answers ---- */

static bool plot_write(struct size *size)
{
	struct moment *moments = calloc(MOMENTS, sizeof(*moments));
	const struct trace *trace = size->answers.largest;
	size_t count = trace->op_count < MOMENTS ? trace->op_count : MOMENTS;
	const struct answer *answer = &size->answers.list[ANSWER_PRIVATE];

	if (!moments) {
		warn("%s", size->plot.path);
		return false;
	}
	progress_begin("plot");
	sizing_watch(&variants[ANSWER_PRIVATE], trace, answer->recommended, moments, count);
	progress_begin(NULL);
	holders_band(&size->holders, trace, moments, count);
	plot_draw(size->plot.stream, trace, moments, count, answer->recommended, answer->smallest,
		  &size->holders.bands);
	free(moments);
	return output_keep(&size->plot);
}

/* What a heap does not have in it. */
static void resident_print(FILE *stream, const struct trace *trace)
{
	char outside[SIZE_TEXT_MAX];

	if (trace->resident > trace->peak_size)
		fprintf(stream,
			"  at least %s more resident outside these blocks: code, mappings, holes\n",
			size_print(outside, trace->resident - trace->peak_size));
}

/* By the C library's malloc(), in this run. */
static void failures_print(FILE *stream, const struct trace *trace)
{
	uint64_t failures = tally_sum(&trace->tally).failed;

	if (failures)
		fprintf(stream,
			"  requests refused for lack of memory: %" PRIu64
			"; the answer is without them\n",
			failures);
}

static void trace_print(FILE *stream, const struct size *size)
{
	const struct trace *trace = size->answers.largest;
	char peak[SIZE_TEXT_MAX], name[UTF8_TEXT_MAX];

	fprintf(stream, "%s: %zu operation%s\n", utf8_text(name, trace->name), trace->op_count,
		plural(trace->op_count));
	if (size->recording_count > 1)
		fprintf(stream, "  of %zu runs the one that needed most\n", size->recording_count);
	if (size->processes > 1)
		fprintf(stream, "  of %zu processes the one that needed most\n", size->processes);
	fprintf(stream, "  at the peak %s", size_print(peak, trace->peak_size));
	if (!strstr(peak, "byte"))
		fprintf(stream, " (%zu bytes)", trace->peak_size);
	fprintf(stream, " asked for; %zu block%s at most\n", trace->peak_blocks,
		plural(trace->peak_blocks));
	failures_print(stream, trace);
	resident_print(stream, trace);
	fputc('\n', stream);
}

static void size_print_all(FILE *stream, const struct size *size)
{
	trace_print(stream, size);
	answers_print(stream, &size->answers);
	holders_print(stream, &size->holders);
}

static void size_json(FILE *stream, const struct size *size)
{
	struct json_object *object = json_object_new_object();
	const struct trace *trace = size->answers.largest;

	json_object_object_add(object, "name", utf8_json(trace->name));
	if (size->processes)
		json_object_object_add(object, "processes",
				       json_object_new_uint64(size->processes));
	json_object_object_add(
		object, "not_measured",
		unreached_json(&size->recordings[size->recording_count - 1].unreached));
	json_object_object_add(object, "runs", json_object_new_uint64(size->recording_count));
	json_object_object_add(object, "operations", json_object_new_uint64(trace->op_count));
	json_object_object_add(object, "peak_live", json_object_new_uint64(trace->peak_size));
	json_object_object_add(object, "peak_blocks", json_object_new_uint64(trace->peak_blocks));
	json_object_object_add(object, "failures",
			       json_object_new_uint64(tally_sum(&trace->tally).failed));
	json_object_object_add(object, "peak_resident",
			       trace->resident ? json_object_new_uint64(trace->resident) : NULL);
	json_object_object_add(object, "margin", json_object_new_int((int)size->answers.margin));
	json_object_object_add(object, "heaps", answers_json(&size->answers));
	holders_json(object, &size->holders);
	fprintf(stream, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}

/* ---- the whole ---- */

static bool outputs_open(struct size *size)
{
	return output_open(&size->output, size->output.path) &&
	       output_open(&size->save, size->save.path) &&
	       output_open(&size->holders.folded, size->holders.folded.path) &&
	       output_open(&size->plot, size->plot.path);
}

/* Those that were not kept. */
static void outputs_drop(struct size *size)
{
	output_drop(&size->output);
	output_drop(&size->save);
	output_drop(&size->holders.folded);
	output_drop(&size->plot);
}

static bool trace_read(struct recording *recording, const char *path)
{
	recording->count = trace_load(&recording->traces[0], path) == 0;
	return recording->count;
}

/* Records a run more, or reads the trace. False after a message. */
static bool recording_take(struct size *size)
{
	struct recording *recording = &size->recordings[size->recording_count++];

	if (!(size->trace_path
		      ? trace_read(recording, size->trace_path)
		      : recording_make(recording, holders_wanted(&size->holders), size->argv)))
		return false;
	if (recording->processes > size->processes)
		size->processes = recording->processes;
	if (recording->traces[0].peak_size)
		return true;
	warnx("%s: no bytes were asked for", recording->traces[0].name);
	return false;
}

static bool recordings_take(struct size *size)
{
	bool good = true;

	size->recordings = calloc(size->runs, sizeof(*size->recordings));
	if (!size->recordings)
		err(STATUS_FAILED, "%lu runs", size->runs);
	while (good && size->recording_count < size->runs)
		good = recording_take(size);
	return good;
}

static void recordings_release(struct size *size)
{
	while (size->recording_count)
		recording_release(&size->recordings[--size->recording_count]);
	free(size->recordings);
}

/* Before anything is sized: that of the highest peak. */
static bool trace_save(struct size *size)
{
	const struct trace *best = NULL;

	for (size_t run = 0; run < size->recording_count; run++) {
		const struct recording *recording = &size->recordings[run];

		if (recording->count && (!best || recording->traces[0].peak_size > best->peak_size))
			best = &recording->traces[0];
	}
	return !size->save.path || !best || recording_save(best, &size->save);
}

/* The calls of the trace that needed most. */
static bool holders_take(struct size *size)
{
	const struct trace *largest = size->answers.largest;

	for (size_t run = 0; run < size->recording_count; run++)
		for (size_t index = 0; index < size->recordings[run].count; index++)
			if (&size->recordings[run].traces[index] == largest &&
			    holders_wanted(&size->holders))
				return holders_find(&size->holders, largest,
						    &size->recordings[run].calls[index]);
	return true;
}

static int size_answer(struct size *size)
{
	bool good = recordings_take(size);

	good = trace_save(size) && good;
	good = good && answers_find(&size->answers, size->recordings, size->recording_count);
	good = good && holders_take(size);
	if (good) {
		(size->json ? size_json : size_print_all)(size->output.stream, size);
		good = !size->plot.path || plot_write(size);
	}
	holders_release(&size->holders);
	recordings_release(size);
	return good ? STATUS_OK : STATUS_FAILED;
}

static const struct option options[] = {
	{"trace", required_argument, NULL, 't'},
	{"plot", required_argument, NULL, 'p'},
	{"margin", required_argument, NULL, 'm'},
	{"output", required_argument, NULL, 'o'},
	{"save", required_argument, NULL, 'S'},
	{"run", required_argument, NULL, 'r'},
	{"callers", no_argument, NULL, 'c'},
	{"leaks", no_argument, NULL, 'l'},
	{"folded", required_argument, NULL, 'f'},
	{"depth", required_argument, NULL, 'd'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool number_parse(const char *text, unsigned long least, unsigned long most,
			 unsigned long *number)
{
	char *rest;

	*number = strtoul(text, &rest, 10);
	return *text >= '0' && *text <= '9' && !*rest && *number >= least && *number <= most;
}

static bool margin_parse(struct size *size, const char *text)
{
	unsigned long margin;

	if (!number_parse(text, 0, MARGIN_MAX, &margin)) {
		warnx("--margin: '%s' is no number of per cent from 0 to %u", text, MARGIN_MAX);
		return false;
	}
	size->answers.margin = (unsigned)margin;
	return true;
}

static bool depth_parse(struct size *size, const char *text)
{
	unsigned long depth;

	if (!number_parse(text, 1, HOLDERS_DEPTH_MAX, &depth)) {
		warnx("--depth: '%s' is no number from 1 to %u", text, HOLDERS_DEPTH_MAX);
		return false;
	}
	size->holders.depth = depth;
	return true;
}

static bool runs_parse(struct size *size, const char *text)
{
	if (number_parse(text, 1, RUNS_MAX, &size->runs))
		return true;
	warnx("--run: '%s' is no number of runs from 1 to %u", text, RUNS_MAX);
	return false;
}

/* True unless the calls are asked for where they cannot be told. */
static bool callers_possible(const struct size *size)
{
	if (!holders_wanted(&size->holders))
		return true;
	if (size->trace_path)
		warnx("size: a trace has no callers; give a program");
	else if (!source_available())
		warnx("size: no callers: built without libdw, or for glibc before 2.35");
	return !size->trace_path && source_available();
}

/* Nobody waits for a long run whose answer lacks what was asked for. */
static bool depth_is_used(const struct size *size)
{
	if (!size->holders.depth || size->holders.at_peak || size->holders.at_end)
		return true;
	warnx("size: --depth goes with --callers or --leaks");
	return false;
}

/* A trace, or a program; STATUS_OK, or what to end with. */
static int operands_check(struct size *size)
{
	if (!size->argv[0] == !size->trace_path) {
		warnx(size->trace_path ? "size: a trace, or a program, not both"
				       : "size: which program, or --trace=FILE?");
		return command_misused(&command_size);
	}
	if (!depth_is_used(size))
		return command_misused(&command_size);
	if (!size->holders.depth)
		size->holders.depth = HOLDERS_DEPTH;
	if (size->runs && size->trace_path) {
		warnx("size: --run is for a program; a trace is of one run");
		return command_misused(&command_size);
	}
	/* The two would be mixed, and be no JSON. */
	if (size->json && size->argv[0] && !size->output.path) {
		warnx("size: --json of a program needs --output=FILE ('-' if it prints nothing)");
		return command_misused(&command_size);
	}
	if (!size->output.path)
		size->output.path = "-";
	size->runs += !size->runs;
	return callers_possible(size) ? STATUS_OK : STATUS_USAGE;
}

static int options_read(struct size *size, int argc, char **argv, bool *helped)
{
	int option;

	while ((option = getopt_long(argc, argv, "+t:p:m:o:r:jh", options, NULL)) != -1) {
		switch (option) {
		case 't': size->trace_path = optarg; break;
		case 'p': size->plot.path = optarg; break;
		case 'o': size->output.path = optarg; break;
		case 'S': size->save.path = optarg; break;
		case 'j': size->json = true; break;
		case 'c': size->holders.at_peak = true; break;
		case 'l': size->holders.at_end = true; break;
		case 'f': size->holders.folded.path = optarg; break;
		case 'd':
			if (!depth_parse(size, optarg))
				return STATUS_USAGE;
			break;
		case 'm':
			if (!margin_parse(size, optarg))
				return STATUS_USAGE;
			break;
		case 'r':
			if (!runs_parse(size, optarg))
				return STATUS_USAGE;
			break;
		case 'h': *helped = true; return command_help(&command_size);
		default: return command_misused(&command_size);
		}
	}
	size->argv = argv + optind;
	return operands_check(size);
}

static int size_main(int argc, char **argv)
{
	struct size size = {.answers.margin = MARGIN_DEFAULT};
	bool helped = false;
	int status = options_read(&size, argc, argv, &helped);

	if (status || helped)
		return status;
	status = STATUS_FAILED;
	if (outputs_open(&size))
		status = size_answer(&size);
	if (!status && !output_keep(&size.output))
		status = STATUS_FAILED;
	outputs_drop(&size);
	return status;
}

const struct command command_size = {
	.name = "size",
	.summary = "determine how large a heap a program needs",
	.usage = "[OPTION]... PROGRAM [ARGUMENT]...\n"
		 "  or:  bheap size [OPTION]... --trace=FILE\n"
		 "Runs PROGRAM, records its calls of malloc() and related functions, and replays\n"
		 "them in heaps of many sizes. If there are several processes, the one that needs\n"
		 "most memory is sized. A program that Ctrl-C ends is sized, too.\n\n"
		 "  -t, --trace=FILE   read a trace recorded before, plain or compressed by gzip\n"
		 "  -r, --run=N        run PROGRAM N times, and size the run that needs most\n"
		 "  -m, --margin=N     recommend N per cent more than suffices (default: 10)\n"
		 "  -p, --plot=FILE    draw the heap over time into FILE, as SVG; with --callers,\n"
		 "                     also what each of the five largest places holds\n"
		 "  -o, --output=FILE  write the answer to FILE, not to standard output\n"
		 "      --callers      name the places in PROGRAM that hold most at the peak\n"
		 "      --leaks        name those that hold most when PROGRAM ends\n"
		 "      --depth=N      tell places by N calls at most (default: 8)\n"
		 "      --folded=FILE  write all stacks of calls into FILE, for a flame graph\n"
		 "      --save=FILE    keep the trace in FILE, compressed if FILE ends in .gz\n"
		 "  -j, --json         print the answer as JSON; of a PROGRAM, give --output, too\n"
		 "  -h, --help         print this text\n",
	.run = size_main,
};
