/* SPDX-License-Identifier: MIT */
/*
 * cmd_size.c - "bheap size": how large a heap a program needs, from what it does in one run.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "holders.h"
#include "output.h"
#include "plot.h"
#include "progress.h"
#include "recording.h"
#include "size_text.h"
#include "utf8.h"
#include "sizing.h"

#define MARGIN_DEFAULT 10
#define MARGIN_MAX 1000
#define MOMENTS 800

static const struct variant variants[] = {
	{"private", "init_heap(), bheap_create()", 0, false},
	{"guarded", "the same with BHEAP_GUARD", BHEAP_GUARD, false},
	{"in_buffer", "bheap_create_in()", 0, true},
};
#define VARIANTS (sizeof(variants) / sizeof(*variants))

struct answer {
	size_t smallest, recommended;
};

struct size {
	const char *trace_path;           /* NULL: a program is run */
	struct output plot, output, save; /* open before the program begins */
	unsigned margin;                  /* per cent */
	bool json;
	char **argv;
	struct trace trace;
	struct holders holders;
	size_t processes; /* that there were; 0: a trace was read */
	struct answer answers[VARIANTS];
};

/* ---- finding the answers ---- */

static bool answers_find(struct size *size)
{
	static const char *const tasks[VARIANTS] = {"smallest heap", "with guards", "in a buffer"};

	for (unsigned index = 0; index < VARIANTS; index++) {
		struct answer *answer = &size->answers[index];
		size_t wish;

		progress_begin(tasks[index]);
		answer->smallest = sizing_smallest(&variants[index], &size->trace);
		wish = answer->smallest + answer->smallest / 100 * size->margin;
		answer->recommended = answer->smallest && wish <= BHEAP_SIZE_MAX
					      ? sizing_confirm(&variants[index], &size->trace, wish)
					      : answer->smallest;
		if (!answer->smallest) {
			progress_begin(NULL);
			warnx("%s: not even the largest heap suffices", size->trace.name);
			return false;
		}
	}
	progress_begin(NULL);
	return true;
}

static bool plot_write(struct size *size)
{
	struct moment *moments = calloc(MOMENTS, sizeof(*moments));
	size_t count = size->trace.op_count < MOMENTS ? size->trace.op_count : MOMENTS;
	const struct answer *answer = &size->answers[0];

	if (!moments) {
		warn("%s", size->plot.path);
		return false;
	}
	progress_begin("plot");
	sizing_watch(&variants[0], &size->trace, answer->recommended, moments, count);
	progress_begin(NULL);
	plot_draw(size->plot.stream, &size->trace, moments, count, answer->recommended,
		  answer->smallest);
	free(moments);
	return output_keep(&size->plot);
}

/* ---- telling them ---- */

static double overhead(const struct size *size, const struct answer *answer)
{
	return 100.0 * ((double)answer->smallest / (double)size->trace.peak_size - 1);
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

static void trace_print(FILE *stream, const struct size *size)
{
	const struct trace *trace = &size->trace;
	char peak[SIZE_TEXT_MAX];

	fprintf(stream, "%s: %zu operation%s\n", trace->name, trace->op_count,
		plural(trace->op_count));
	if (size->processes > 1)
		fprintf(stream, "  of %zu processes the one that needed most\n", size->processes);
	fprintf(stream, "  at the peak %s", size_print(peak, trace->peak_size));
	if (!strstr(peak, "bytes"))
		fprintf(stream, " (%zu bytes)", trace->peak_size);
	fprintf(stream, " asked for; %zu block%s at most\n", trace->peak_blocks,
		plural(trace->peak_blocks));
	resident_print(stream, trace);
	fputc('\n', stream);
}

static void answers_print(FILE *stream, const struct size *size)
{
	char smallest[SIZE_TEXT_MAX], recommended[SIZE_TEXT_MAX], heading[32];

	trace_print(stream, size);
	snprintf(heading, sizeof(heading), "recommended (+%u %%)", size->margin);
	fprintf(stream, "%-27s %21s %7s %21s\n", "", "smallest that suffices", "more", heading);
	for (unsigned index = 0; index < VARIANTS; index++) {
		const struct answer *answer = &size->answers[index];

		fprintf(stream, "%-27s %10zu %10s %5.1f %% %10zu %10s\n", variants[index].title,
			answer->smallest, size_print(smallest, answer->smallest),
			overhead(size, answer), answer->recommended,
			size_print(recommended, answer->recommended));
	}
	fputs("\nThe first line is for 'bheap run --size'. This is what one run needs; another\n"
	      "input, or threads that interleave otherwise, may need more: that is what the\n"
	      "margin is for.\n",
	      stream);
	holders_print(stream, &size->holders);
}

static void answers_json(FILE *stream, const struct size *size)
{
	struct json_object *object = json_object_new_object(), *heaps = json_object_new_object();

	json_object_object_add(object, "name", utf8_json(size->trace.name));
	if (size->processes)
		json_object_object_add(object, "processes",
				       json_object_new_uint64(size->processes));
	json_object_object_add(object, "operations", json_object_new_uint64(size->trace.op_count));
	json_object_object_add(object, "peak_live", json_object_new_uint64(size->trace.peak_size));
	json_object_object_add(object, "peak_blocks",
			       json_object_new_uint64(size->trace.peak_blocks));
	json_object_object_add(object, "peak_resident",
			       size->trace.resident ? json_object_new_uint64(size->trace.resident)
						    : NULL);
	json_object_object_add(object, "margin", json_object_new_int((int)size->margin));
	for (unsigned index = 0; index < VARIANTS; index++) {
		const struct answer *answer = &size->answers[index];
		struct json_object *heap = json_object_new_object();

		json_object_object_add(heap, "smallest", json_object_new_uint64(answer->smallest));
		json_object_object_add(heap, "recommended",
				       json_object_new_uint64(answer->recommended));
		json_object_object_add(heap, "overhead",
				       json_object_new_double(overhead(size, answer) / 100));
		json_object_object_add(heaps, variants[index].name, heap);
	}
	json_object_object_add(object, "heaps", heaps);
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

static bool trace_get(struct size *size)
{
	struct calls *calls = holders_wanted(&size->holders) ? &size->holders.calls : NULL;

	if (size->trace_path)
		return trace_load(&size->trace, size->trace_path) == 0;
	return recording_make(&size->trace, calls, &size->processes, size->argv);
}

static int size_answer(struct size *size)
{
	bool good = trace_get(size);

	if (!good)
		return STATUS_FAILED;
	if (!size->trace.peak_size) {
		warnx("%s: no bytes were asked for", size->trace.name);
		good = false;
	}
	if (size->save.path && !recording_save(&size->trace, &size->save))
		good = false;
	if (good && holders_wanted(&size->holders))
		good = holders_find(&size->holders, &size->trace);
	if (good && answers_find(size)) {
		(size->json ? answers_json : answers_print)(size->output.stream, size);
		if (size->plot.path && !plot_write(size))
			good = false;
	} else {
		good = false;
	}
	holders_release(&size->holders);
	trace_release(&size->trace);
	return good ? STATUS_OK : STATUS_FAILED;
}

static const struct option options[] = {
	{"trace", required_argument, NULL, 't'},  {"plot", required_argument, NULL, 'p'},
	{"margin", required_argument, NULL, 'm'}, {"output", required_argument, NULL, 'o'},
	{"save", required_argument, NULL, 'S'},   {"json", no_argument, NULL, 'j'},
	{"callers", no_argument, NULL, 'c'},      {"leaks", no_argument, NULL, 'l'},
	{"folded", required_argument, NULL, 'f'}, {"depth", required_argument, NULL, 'd'},
	{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
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
	size->margin = (unsigned)margin;
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

static int options_read(struct size *size, int argc, char **argv, bool *helped)
{
	int option;

	while ((option = getopt_long(argc, argv, "+t:p:m:o:jh", options, NULL)) != -1) {
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
		case 'h': *helped = true; return command_help(&command_size);
		default: return command_misused(&command_size);
		}
	}
	size->argv = argv + optind;
	if (!size->argv[0] == !size->trace_path) {
		warnx(size->trace_path ? "size: a trace, or a program, not both"
				       : "size: which program, or --trace=FILE?");
		return command_misused(&command_size);
	}
	/* The two would be mixed, and be no JSON. */
	if (size->json && size->argv[0] && !size->output.path) {
		warnx("size: --json of a program needs --output=FILE ('-' if it prints nothing)");
		return command_misused(&command_size);
	}
	if (!size->output.path)
		size->output.path = "-";
	return callers_possible(size) ? STATUS_OK : STATUS_USAGE;
}

static int size_main(int argc, char **argv)
{
	struct size size = {.margin = MARGIN_DEFAULT, .holders.depth = HOLDERS_DEPTH};
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
		 "  -m, --margin=N     recommend N per cent more than suffices (default: 10)\n"
		 "  -p, --plot=FILE    draw the heap over time into FILE, as SVG\n"
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
