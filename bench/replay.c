/* SPDX-License-Identifier: MIT */
/*
 * replay.c - replays allocation traces through libbheap: how fast, and how much memory they need.
 */
#include <bheap.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator.h"
#include "checked.h"
#include "tools/memory.h"
#include "sample.h"
#include "synthetic.h"

enum { EXIT_OK, EXIT_REPLAY, EXIT_USAGE };

struct options {
	struct allocator allocator;
	bool check;
	bool made_up;
	bool fit;
	size_t rounds;
	size_t region_size; /* 0: chosen by trace */
};

static const char help[] =
	"Usage: replay [OPTION]... [TRACE]...\n"
	"Replays allocation traces, plain or .gz, through libbheap. For each it prints the operations\n"
	"per second (median of the rounds, slowest and fastest round), the peak of live bytes, the\n"
	"smallest region in which the trace completes, control data included, and the utilisation:\n"
	"peak / smallest region.\n"
	"\n"
	"  -m, --made-up        replay the made-up traces of the benchmark, too\n"
	"  -c, --check          check the content of every block and the heap itself; no timing\n"
	"  -f, --flags=LIST     heap flags, comma-separated: unlocked, guard, abort, realtime,\n"
	"                       cached\n"
	"  -n, --rounds=N       measure N rounds after one that does not count (default 5)\n"
	"  -r, --region=BYTES   replay in a region of this size (default: four times the peak)\n"
	"  -s, --speed          skip the search for the smallest region\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit status: 0 all replayed, 1 a replay failed, 2 usage or a trace that cannot be read.\n"
	"The format of traces is described in bench/README.md.\n";

__attribute__((noreturn)) static void usage_fail(void)
{
	fputs("Try 'replay --help'.\n", stderr);
	exit(EXIT_USAGE);
}

static unsigned flags_parse(char *list)
{
	static const struct {
		const char *name;
		unsigned flag;
	} names[] = {
		{"unlocked", BHEAP_UNLOCKED}, {"guard", BHEAP_GUARD},   {"abort", BHEAP_ABORT},
		{"realtime", BHEAP_REALTIME}, {"cached", BHEAP_CACHED},
	};
	unsigned flags = 0;
	for (char *name = strtok(list, ","); name != NULL; name = strtok(NULL, ",")) {
		size_t i = 0;
		while (i < sizeof(names) / sizeof(names[0]) && strcmp(name, names[i].name) != 0)
			i++;
		if (i == sizeof(names) / sizeof(names[0])) {
			fprintf(stderr, "replay: no such flag: %s\n", name);
			usage_fail();
		}
		flags |= names[i].flag;
	}
	return flags;
}

static size_t number_parse(const char *option, const char *text)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value == 0 ||
	    value > BHEAP_SIZE_MAX) {
		fprintf(stderr, "replay: --%s takes a number from 1 up, not '%s'\n", option, text);
		usage_fail();
	}
	return (size_t)value;
}

static struct options options_parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"check", no_argument, NULL, 'c'},        {"made-up", no_argument, NULL, 'm'},
		{"flags", required_argument, NULL, 'f'},  {"rounds", required_argument, NULL, 'n'},
		{"region", required_argument, NULL, 'r'}, {"speed", no_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	struct options options = {.allocator = allocator_bheap, .fit = true, .rounds = 5};
	int option;

	while ((option = getopt_long(argc, argv, "cmf:n:r:sh", longs, NULL)) != -1) {
		switch (option) {
		case 'c': options.check = true; break;
		case 'm': options.made_up = true; break;
		case 'f': options.allocator.flags |= flags_parse(optarg); break;
		case 'n': options.rounds = number_parse("rounds", optarg); break;
		case 'r': options.region_size = number_parse("region", optarg); break;
		case 's': options.fit = false; break;
		case 'h': fputs(help, stdout); exit(EXIT_OK);
		default: usage_fail();
		}
	}
	if (optind == argc && !options.made_up) {
		fputs("replay: no trace named\n", stderr);
		usage_fail();
	}
	return options;
}

/* Fills in seconds for each of the rounds; 0, or -1 after saying why. */
static int rounds_run(const struct options *options, const struct trace *trace, bheap_t *heap,
		      double *seconds)
{
	const struct allocator *allocator = &options->allocator;
	void **blocks = memory_zero(trace->slot_count, sizeof(*blocks));
	size_t done = trace->op_count;

	for (size_t round = 0; round <= options->rounds && done == trace->op_count; round++) {
		double start = sample_cpu_seconds();
		done = replay_run(allocator, heap, trace, blocks);
		double time = sample_cpu_seconds() - start;
		if (round > 0) /* the first one warms up */
			seconds[round - 1] = time;
		replay_drain(allocator, heap, trace, blocks);
	}
	free(blocks);

	struct bheap_stats stats;
	if (done != trace->op_count) {
		fprintf(stderr, "%s: operation %zu of %zu: no room for %ju bytes\n", trace->name,
			done + 1, trace->op_count, (uintmax_t)trace->ops[done].size);
		return -1;
	}
	if (bheap_stats(heap, &stats) != 0 || stats.used != 0) {
		fprintf(stderr, "%s: all was freed, yet the heap is not empty\n", trace->name);
		return -1;
	}
	return 0;
}

static int speed_print(const struct options *options, const struct trace *trace, bheap_t *heap)
{
	double *seconds = memory_zero(options->rounds, sizeof(*seconds));
	int result = rounds_run(options, trace, heap, seconds);
	if (result == 0) {
		struct summary time = sample_summarise(seconds, options->rounds);
		double millions = (double)trace->op_count / 1e6;
		printf("%-16s %10zu %8.2f %7.2f %7.2f %12zu", trace->name, trace->op_count,
		       millions / time.median, millions / time.high, millions / time.low,
		       trace->peak_size);
	}
	free(seconds);
	return result;
}

static int fit_print(const struct options *options, const struct trace *trace)
{
	size_t size = replay_fit(&options->allocator, trace);
	if (size == 0) {
		fprintf(stderr, "%s: does not complete in 16 times its peak\n", trace->name);
		return -1;
	}
	printf(" %12zu %11.4f", size, (double)trace->peak_size / (double)size);
	return 0;
}

static int check_print(const struct trace *trace, bheap_t *heap)
{
	if (checked_replay(trace, heap) != 0)
		return -1;
	printf("%-16s %10zu %12zu  content and heap checked: all well", trace->name,
	       trace->op_count, trace->peak_size);
	return 0;
}

static int trace_replay(const struct options *options, const struct trace *trace)
{
	/* A guarded block takes more than was asked for. */
	size_t guard_size = options->allocator.flags & BHEAP_GUARD ? 32 * trace->peak_blocks : 0;
	size_t size = options->region_size ? options->region_size : replay_room(trace) + guard_size;
	void *region = memory_map(size);
	bheap_t *heap = bheap_create_in(region, size, options->allocator.flags);
	int result = -1;

	if (heap == NULL)
		fprintf(stderr, "%s: no heap in %zu bytes: %s\n", trace->name, size,
			strerror(errno));
	else if (options->check)
		result = check_print(trace, heap);
	else
		result = speed_print(options, trace, heap);
	if (heap != NULL)
		bheap_destroy(heap);
	memory_unmap(region, size);

	if (result == 0 && !options->check && options->fit)
		result = fit_print(options, trace);
	if (result == 0)
		putchar('\n');
	fflush(stdout);
	return result;
}

static void header_print(const struct options *options)
{
	if (options->check)
		printf("%-16s %10s %12s\n", "trace", "operations", "peak bytes");
	else
		printf("%-16s %10s %24s %12s%s\n", "trace", "operations",
		       "Mops/s median  slow  fast", "peak bytes",
		       options->fit ? "     smallest utilisation" : "");
}

int main(int argc, char **argv)
{
	struct options options = options_parse(argc, argv);
	struct trace trace;
	bool unread = false, failed = false;

	header_print(&options);
	for (int i = optind; i < argc; i++) {
		if (trace_load(&trace, argv[i]) != 0) {
			unread = true;
			continue;
		}
		failed = trace_replay(&options, &trace) != 0 || failed;
		trace_release(&trace);
	}
	for (size_t i = 0; options.made_up && i < SYNTHETIC_COUNT; i++) {
		synthetic_make(&trace, i);
		failed = trace_replay(&options, &trace) != 0 || failed;
		trace_release(&trace);
	}
	if (unread)
		return EXIT_USAGE;
	return failed ? EXIT_REPLAY : EXIT_OK;
}
