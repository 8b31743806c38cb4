/* SPDX-License-Identifier: MIT */
/*
 * adapter.h - code that the programs adapter_*.c share: it parses the command line, reads the input
 * into the heap, and reports how much of the budget was used. The exit status is 0 on success; 1 if
 * the input is malformed or fails; 2 for wrong usage; 3 if the input needs more than the budget.
 */
#ifndef ADAPTER_H
#define ADAPTER_H

#include "size.h"

#include <bheap.h>
#include <stdio.h>
#include <unistd.h>

enum { MALFORMED = 1, USAGE = 2, TOO_LARGE = 3 };

struct job {
	const char *program;
	const char *path;  /* NULL: standard input */
	const char *trace; /* where to record the requests, or NULL */
	bool traces;       /* the program has the option -t */
	size_t budget;
	bheap_t *heap;
	char *text; /* the input and a NUL, in the heap */
	size_t length;
};

static inline const char *job_input(const struct job *job)
{
	return job->path ? job->path : "standard input";
}

/* ---- what went wrong: each returns the exit status ---- */

static inline int job_failed(const struct job *job, const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", job->program, what, strerror(errno));
	return MALFORMED;
}

/* The first line of a text; line 0: none is known. */
static inline int job_tell(const struct job *job, const char *what, size_t line, const char *text)
{
	fprintf(stderr, "%s: %s: %s: ", job->program, job_input(job), what);
	if (line)
		fprintf(stderr, "line %zu: ", line);
	fprintf(stderr, "%.*s\n", (int)strcspn(text, "\n"), text);
	return MALFORMED;
}

static inline int job_malformed(const struct job *job, size_t line, const char *text)
{
	return job_tell(job, "malformed input", line, text);
}

/* It was well formed, and failed when it ran. */
static inline int job_error(const struct job *job, size_t line, const char *text)
{
	return job_tell(job, "error", line, text);
}

static inline int job_too_large(const struct job *job)
{
	struct bheap_stats stats = {0};

	bheap_stats(job->heap, &stats);
	fprintf(stderr,
		"%s: %s: needs more than the budget of %zu bytes (largest refused request %llu "
		"bytes, %llu bytes were in use at the last)\n",
		job->program, job_input(job), job->budget,
		(unsigned long long)stats.largest_refused,
		(unsigned long long)stats.used_at_refusal);
	return TOO_LARGE;
}

/* ---- the heap and the input ---- */

/* Whole pages, of which the budget may be used: to the byte. */
static inline bheap_t *job_heap(const struct job *job)
{
	bheap_t *heap = bheap_create(job->budget, 0);

	if (heap)
		bheap_set_limit(heap, job->budget);
	return heap;
}

static inline int job_usage(const struct job *job)
{
	fprintf(stderr,
		"Usage: %s [-b BUDGET]%s [FILE]\n"
		"Reads FILE or standard input. BUDGET bounds the memory, in bytes, or with a\n"
		"suffix k, M or G (1M). Ends with 1 if the input is malformed or fails, with 3 if\n"
		"it needs more than the budget.\n",
		job->program, job->traces ? " [-t TRACE]" : "");
	return USAGE;
}

static inline bool job_option(struct job *job, int option)
{
	if (option == 't' && job->traces)
		job->trace = optarg;
	else
		return option == 'b' && size_parse(optarg, &job->budget) && job->budget;
	return true;
}

/* job: the program's name, and what else is not zero. 0, or the exit status. */
static inline int job_begin(struct job *job, int argc, char **argv)
{
	int option;

	job->budget = (size_t)1 << 20;
	while ((option = getopt(argc, argv, "b:t:")) != -1)
		if (!job_option(job, option))
			return job_usage(job);
	if (argc - optind > 1)
		return job_usage(job);
	job->path = argv[optind];
	job->heap = job_heap(job);
	return job->heap ? 0 : job_failed(job, "a heap of this budget");
}

static inline int job_read_stream(struct job *job, FILE *stream)
{
	size_t room = 0, count;

	do {
		char *text;

		room = room ? 2 * room : 1024;
		text = bheap_realloc(job->heap, job->text, room);
		if (!text)
			return job_too_large(job);
		job->text = text;
		count = fread(text + job->length, 1, room - job->length - 1, stream);
		job->length += count;
	} while (job->length == room - 1);
	if (ferror(stream))
		return job_failed(job, job_input(job));
	job->text = bheap_realloc(job->heap, job->text, job->length + 1); /* cannot fail */
	job->text[job->length] = '\0';
	return 0;
}

/* Reads the input. 0, or the exit status. */
static inline int job_read(struct job *job)
{
	FILE *stream = job->path ? fopen(job->path, "r") : stdin;
	int status;

	if (!stream)
		return job_failed(job, job->path);
	status = job_read_stream(job, stream);
	if (job->path)
		fclose(stream);
	return status;
}

static inline size_t job_line_of(const struct job *job, const char *place)
{
	size_t line = 1;

	for (const char *at = job->text; at < place; at++)
		line += *at == '\n';
	return line;
}

/* The library freed all of its own: what is left are leaks. Returns the exit status. */
static inline int job_end(struct job *job, int status)
{
	struct bheap_stats stats = {0};

	bheap_free(job->heap, job->text);
	bheap_stats(job->heap, &stats);
	fprintf(stderr,
		"%s: peak %zu of %zu bytes (%zu %%), %llu requests refused, %zu blocks left\n",
		job->program, stats.peak_used, job->budget, stats.peak_used * 100 / job->budget,
		(unsigned long long)stats.failures, stats.live_blocks);
	bheap_destroy(job->heap);
	return fflush(stdout) ? job_failed(job, "standard output") : status;
}

#endif
