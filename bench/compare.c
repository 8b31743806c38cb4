/* SPDX-License-Identifier: MIT */
/*
 * compare.c - libbheap beside other allocators on the same traces: time and memory.
 *
 * For each trace all run in one process, in turns, round by round, so that what disturbs the
 * machine disturbs all alike; each round's time is set against glibc's of the same round.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/memory.h"
#include "peers.h"
#include "report.h"
#include "sample.h"
#include "synthetic.h"

#define ROUNDS_A_CHILD 4

enum { EXIT_OK, EXIT_REPLAY, EXIT_USAGE };

struct options {
	size_t rounds, warm_rounds;
	bool synthetic;
	bool fit;
	const char *tsv_path;
};

static const char help[] =
	"Usage: compare [OPTION]... [TRACE]...\n"
	"Replays recorded and made-up allocation traces through libbheap, glibc and the allocators that\n"
	"configure found, in turns in one process. Prints the time an operation takes as a multiple of\n"
	"glibc's (median of the rounds and half the range between the quartiles) and the share of the\n"
	"smallest sufficient region that the peak of live bytes makes.\n"
	"\n"
	"  -n, --rounds=N            measure N rounds (default 12)\n"
	"  -w, --warm=N              every four in a new process, after N that do not count (default 3)\n"
	"  -l, --library=NAME=PATH   measure a shared library that exports malloc and the rest, too\n"
	"  -m, --module=PATH         measure the allocator in a module made as boost.cc is, too\n"
	"  -r, --recorded            no made-up traces\n"
	"  -s, --speed               no search for the smallest region\n"
	"  -t, --tsv=FILE            write all figures, tab-separated\n"
	"  -h, --help                this text\n"
	"\n"
	"Exit status: 0 done, 1 libbheap could not complete a trace, 2 usage or a bad trace.\n";

__attribute__((noreturn)) static void usage_fail(void)
{
	fputs("Try 'compare --help'.\n", stderr);
	exit(EXIT_USAGE);
}

static void library_parse(struct peers *peers, char *text)
{
	char *path = strchr(text, '=');
	if (path == NULL) {
		fprintf(stderr, "compare: --library takes NAME=PATH, not '%s'\n", text);
		usage_fail();
	}
	*path++ = '\0';
	if (peers_add_library(peers, text, path, "") != 0)
		exit(EXIT_USAGE);
}

static size_t rounds_parse(const char *option, const char *text)
{
	char *end;
	unsigned long rounds = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || rounds == 0 || rounds > 10000) {
		fprintf(stderr, "compare: --%s takes a number from 1 to 10000, not '%s'\n", option,
			text);
		usage_fail();
	}
	return rounds;
}

static struct options options_parse(int argc, char **argv, struct peers *peers)
{
	static const struct option longs[] = {
		{"rounds", required_argument, NULL, 'n'},
		{"warm", required_argument, NULL, 'w'},
		{"module", required_argument, NULL, 'm'},
		{"library", required_argument, NULL, 'l'},
		{"recorded", no_argument, NULL, 'r'},
		{"speed", no_argument, NULL, 's'},
		{"tsv", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {.rounds = 12, .warm_rounds = 3, .synthetic = true, .fit = true};
	int option;

	while ((option = getopt_long(argc, argv, "n:w:l:m:rst:h", longs, NULL)) != -1) {
		switch (option) {
		case 'n': options.rounds = rounds_parse("rounds", optarg); break;
		case 'w': options.warm_rounds = rounds_parse("warm", optarg); break;
		case 'l': library_parse(peers, optarg); break;
		case 'm':
			if (peers_add_module(peers, optarg) != 0)
				exit(EXIT_USAGE);
			break;
		case 'r': options.synthetic = false; break;
		case 's': options.fit = false; break;
		case 't': options.tsv_path = optarg; break;
		case 'h': fputs(help, stdout); exit(EXIT_OK);
		default: usage_fail();
		}
	}
	return options;
}

/* The traces named, then the made-up ones. */
static struct trace *traces_load(int count, char **paths, size_t made_up)
{
	struct trace *traces = memory_zero((size_t)count + made_up, sizeof(*traces));
	for (int i = 0; i < count; i++)
		if (trace_load(&traces[i], paths[i]) != 0)
			exit(EXIT_USAGE);
	for (size_t i = 0; i < made_up; i++)
		synthetic_make(&traces[(size_t)count + i], i);
	return traces;
}

/* ---- measuring ------------------------------------------------------------------------------ */

/* One allocator, opened for one trace. */
struct seat {
	const struct allocator *allocator;
	void *heap; /* NULL: it cannot do this trace */
	void *region;
	size_t region_size;
	void **blocks;
};

static void seat_open(struct seat *seat, const struct allocator *allocator,
		      const struct trace *trace)
{
	*seat = (struct seat){.allocator = allocator, .region_size = replay_room(trace)};
	if (seat->region_size < allocator->region_min)
		seat->region_size = allocator->region_min;
	if (allocator->bounded)
		seat->region = memory_map(seat->region_size);
	seat->heap = allocator->open(allocator, seat->region, seat->region_size);
	seat->blocks = memory_zero(trace->slot_count, sizeof(*seat->blocks));
}

static void seat_close(struct seat *seat)
{
	if (seat->heap != NULL)
		seat->allocator->close(seat->heap);
	if (seat->region != NULL)
		memory_unmap(seat->region, seat->region_size);
	free(seat->blocks);
}

/* Seconds of one replay; NAN when the allocator refused an operation. */
static double seat_time(struct seat *seat, const struct trace *trace)
{
	if (seat->heap == NULL)
		return NAN;
	double start = sample_cpu_seconds();
	size_t done = replay_run(seat->allocator, seat->heap, trace, seat->blocks);
	double seconds = sample_cpu_seconds() - start;
	replay_drain(seat->allocator, seat->heap, trace, seat->blocks);
	return done == trace->op_count ? seconds : NAN;
}

/* The work of one child: some of the rounds of one trace. */
struct share {
	const struct report *report;
	const struct options *options;
	size_t trace, first_round, end_round;
};

/* All allocators in turns, round by round, after some rounds to warm up. */
static void rounds_run(const struct share *share)
{
	const struct report *report = share->report;
	const struct peers *peers = report->peers;
	const struct trace *trace = &report->traces[share->trace];
	double *seconds = report->seconds + share->trace * peers->count * report->rounds;
	size_t warm = share->options->warm_rounds;
	struct seat seats[PEERS_MAX];

	for (size_t peer = 0; peer < peers->count; peer++)
		seat_open(&seats[peer], &peers->all[peer], trace);
	for (size_t round = share->first_round; round < share->end_round + warm; round++) {
		for (size_t peer = 0; peer < peers->count; peer++) {
			double time = seat_time(&seats[peer], trace);
			if (round >= share->first_round + warm)
				seconds[peer * report->rounds + round - warm] = time;
		}
	}
	for (size_t peer = 0; peer < peers->count; peer++)
		seat_close(&seats[peer]);
}

static void fits_find(const struct share *share)
{
	const struct peers *peers = share->report->peers;
	const struct trace *trace = &share->report->traces[share->trace];
	size_t *smallest_size = share->report->smallest_size + share->trace * peers->count;

	for (size_t peer = 0; peer < peers->count; peer++)
		if (peers->all[peer].bounded)
			smallest_size[peer] = replay_fit(&peers->all[peer], trace);
}

static void child_run(void (*work)(const struct share *share), const struct share *share)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		work(share);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
		fprintf(stderr, "compare: %s: an allocator brought the process down\n",
			share->report->traces[share->trace].name);
		exit(EXIT_REPLAY);
	}
}

/*
 * A new child for each trace and every few rounds: an allocator that cannot be closed, glibc above
 * all, is not to be judged by what other traces, or many rounds of this one, have left behind in
 * it.
 */
static void traces_measure(const struct report *report, const struct options *options)
{
	struct share share = {.report = report, .options = options};

	for (; share.trace < report->trace_count; share.trace++) {
		fprintf(stderr, "measuring %s\n", report->traces[share.trace].name);
		for (size_t round = 0; round < report->rounds; round = share.end_round) {
			share.first_round = round;
			share.end_round = round + ROUNDS_A_CHILD < report->rounds
						  ? round + ROUNDS_A_CHILD
						  : report->rounds;
			child_run(rounds_run, &share);
		}
		if (report->smallest_size != NULL)
			child_run(fits_find, &share);
	}
}

static int tsv_write(const struct report *report, const char *path)
{
	FILE *file = fopen(path, "w");
	if (file != NULL)
		report_write(report, file);
	if (file == NULL || fclose(file) != 0) {
		fprintf(stderr, "compare: %s: %s\n", path, strerror(errno));
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

/* libbheap's heaps must do every trace; that others cannot is a result. */
static int completed_check(const struct report *report)
{
	int status = EXIT_OK;
	for (size_t trace = 0; trace < report->trace_count; trace++) {
		for (size_t peer = 0; peer < report->peers->count; peer++) {
			if (report->peers->all[peer].open != allocator_bheap.open ||
			    report_completed(report, trace, peer))
				continue;
			fprintf(stderr, "compare: %s was not completed by libbheap, %s\n",
				report->traces[trace].name, report->peers->all[peer].name);
			status = EXIT_REPLAY;
		}
	}
	return status;
}

int main(int argc, char **argv)
{
	static struct peers peers;
	peers_restart(argv);
	peers_load(&peers);
	struct options options = options_parse(argc, argv, &peers);
	int named = argc - optind;
	size_t made_up = options.synthetic ? SYNTHETIC_COUNT : 0;
	if (named == 0 && made_up == 0) {
		fputs("compare: no trace named\n", stderr);
		usage_fail();
	}

	struct report report = {
		.peers = &peers,
		.traces = traces_load(named, argv + optind, made_up),
		.trace_count = (size_t)named + made_up,
		.recorded_count = (size_t)named,
		.rounds = options.rounds,
	};
	size_t cells = report.trace_count * peers.count;
	report.seconds = memory_share(cells * report.rounds * sizeof(*report.seconds));
	if (options.fit)
		report.smallest_size = memory_share(cells * sizeof(*report.smallest_size));

	traces_measure(&report, &options);
	report_print(&report, stdout);
	int status = completed_check(&report);
	if (options.tsv_path != NULL && tsv_write(&report, options.tsv_path) != EXIT_OK)
		status = EXIT_USAGE;
	return status;
}
