/* SPDX-License-Identifier: MIT */
/*
 * answers.c - see answers.h.
 */
#include "answers.h"

#include <err.h>
#include <json-c/json.h>
#include <stdint.h>

#include "child.h"
#include "progress.h"
#include "size_text.h"

/*
 * The least margin under "bheap run", where a run is never quite the one recorded: the environment,
 * the kind of standard output and the seeds of hashes differ.
 */
#define RUN_SLACK ((size_t)16 << 10)

const struct variant variants[ANSWER_KINDS] = {
	[ANSWER_RUN] = {.name = "run",
			.title = "bheap run --size=SIZE",
			.in_library = true,
			.slack = RUN_SLACK},
	[ANSWER_PRIVATE] = {.name = "private", .title = "init_heap(), bheap_create()"},
	[ANSWER_GUARDED] = {.name = "guarded",
			    .title = "BHEAP_GUARD, run --guard",
			    .flags = BHEAP_GUARD,
			    .slack = RUN_SLACK},
	[ANSWER_IN_BUFFER] = {.name = "in_buffer", .title = "bheap_create_in()", .in_buffer = true},
};

static const char *const tasks[ANSWER_KINDS] = {
	[ANSWER_RUN] = "heap for bheap run",
	[ANSWER_PRIVATE] = "smallest heap",
	[ANSWER_GUARDED] = "with guards",
	[ANSWER_IN_BUFFER] = "in a buffer",
};

/* ---- finding them ---- */

static bool size_missing(const struct trace *trace)
{
	progress_begin(NULL);
	warnx("%s: not even the largest heap suffices", trace->name);
	return false;
}

/* Enlarges an answer where it does not suffice for a trace. */
static bool trace_include(struct answers *answers, const struct variant *variant,
			  struct answer *answer, const struct trace *trace)
{
	size_t size;

	if (answer->smallest && sizing_suffices(variant, trace, answer->smallest))
		return true;
	size = sizing_smallest(variant, trace);
	if (!size)
		return size_missing(trace);
	if (size > answer->smallest) {
		answer->smallest = size;
		answers->largest = trace;
	}
	return true;
}

/* What suffices for the processes of one run. */
static bool run_find(struct answers *answers, const struct variant *variant, struct answer *answer,
		     const struct recording *run)
{
	bool good = true;

	for (size_t index = 0; good && index < run->count; index++)
		good = trace_include(answers, variant, answer, &run->traces[index]);
	return good;
}

/* Sizes each run. */
static bool each_find(struct answers *answers, const struct variant *variant, struct answer *answer,
		      const struct recording *runs)
{
	for (size_t run = 0; run < answers->runs; run++) {
		const struct trace *largest = answers->largest;
		struct answer own = {.smallest = 0};

		if (!run_find(answers, variant, &own, &runs[run]))
			return false;
		if (own.smallest > answer->smallest)
			answer->smallest = own.smallest;
		else
			answers->largest = largest;
		if (!answer->least || own.smallest < answer->least)
			answer->least = own.smallest;
	}
	return true;
}

/* Sizes the process that needed most of the first kind, and others where that does not suffice. */
static bool all_find(const struct answers *answers, const struct variant *variant,
		     struct answer *answer, const struct recording *runs)
{
	struct answers scratch = *answers;
	bool good = trace_include(&scratch, variant, answer, answers->largest);

	for (size_t run = 0; good && run < answers->runs; run++)
		for (size_t index = 0; good && index < runs[run].count; index++)
			good = &runs[run].traces[index] == answers->largest ||
			       trace_include(&scratch, variant, answer, &runs[run].traces[index]);
	return good;
}

static size_t margin_of(const struct answers *answers, const struct variant *variant, size_t size)
{
	size_t margin;

	if (__builtin_mul_overflow(size / 100, answers->margin, &margin))
		return SIZE_MAX;
	return answers->margin && margin < variant->slack ? variant->slack : margin;
}

/* The smallest size and its margin, if a heap can be as large. */
static size_t size_with_margin(const struct answers *answers, const struct variant *variant,
			       size_t smallest)
{
	size_t margin = margin_of(answers, variant, smallest);

	return margin > BHEAP_SIZE_MAX - smallest ? BHEAP_SIZE_MAX : smallest + margin;
}

static bool margin_is_cut(const struct answers *answers)
{
	bool cut = false;

	for (unsigned kind = 0; kind < ANSWER_KINDS; kind++) {
		size_t smallest = answers->list[kind].smallest;

		cut = cut ||
		      margin_of(answers, &variants[kind], smallest) > BHEAP_SIZE_MAX - smallest;
	}
	return cut;
}

static size_t run_confirm(const struct variant *variant, const struct recording *run, size_t size)
{
	for (size_t index = 0; size && index < run->count; index++)
		size = sizing_confirm(variant, &run->traces[index], size);
	return size;
}

/* A size with a margin that was tried with all runs; without one if none suffices. */
static void answer_recommend(const struct answers *answers, const struct variant *variant,
			     struct answer *answer, const struct recording *runs)
{
	size_t size = size_with_margin(answers, variant, answer->smallest), before;

	answer->recommended = answer->smallest;
	do {
		before = size;
		for (size_t run = 0; size && run < answers->runs; run++)
			size = run_confirm(variant, &runs[run], size);
	} while (size > before);
	if (size)
		answer->recommended = size;
}

static bool answer_find(struct answers *answers, unsigned kind, bool first,
			const struct recording *runs)
{
	const struct variant *variant = &variants[kind];
	struct answer *answer = &answers->list[kind];

	progress_begin(tasks[kind]);
	if (!(first ? each_find(answers, variant, answer, runs)
		    : all_find(answers, variant, answer, runs)))
		return false;
	answer_recommend(answers, variant, answer, runs);
	return true;
}

/* Without the library the others are told of nevertheless. */
static unsigned first_kind(void)
{
	const char *library = child_library("BHEAP_MALLOC_LIBRARY", LIBDIR "/libbheap-malloc.so");

	if (library && sizing_set_library(library))
		return ANSWER_RUN;
	if (library)
		warnx("%s: cannot be preloaded here", library);
	warnx("no size is given for 'bheap run'");
	return ANSWER_PRIVATE;
}

bool answers_find(struct answers *answers, const struct recording *runs, size_t count)
{
	unsigned first = first_kind();

	answers->runs = count;
	for (unsigned kind = first; kind < ANSWER_KINDS; kind++)
		if (!answer_find(answers, kind, kind == first, runs))
			return false;
	progress_begin(NULL);
	return true;
}

/* ---- telling them ---- */

static double overhead(const struct answer *answer, const struct trace *trace)
{
	return 100.0 * ((double)answer->smallest / (double)trace->peak_size - 1);
}

/* As wide as "9999 %" at most, which is what is left of 80 columns. */
#define OVERHEAD_MAX 16
static char *overhead_text(char text[OVERHEAD_MAX], double overhead)
{
	if (overhead < 9999.5)
		snprintf(text, OVERHEAD_MAX, overhead < 99.95 ? "%.1f %%" : "%.0f %%", overhead);
	else
		snprintf(text, OVERHEAD_MAX, ">999 %%");
	return text;
}

static void row_print(FILE *stream, const struct variant *variant, const struct answer *answer,
		      const struct trace *trace)
{
	char smallest[SIZE_TEXT_MAX], recommended[SIZE_TEXT_MAX], more[OVERHEAD_MAX];

	fprintf(stream, "%-27s %11zu %10s %6s %11zu %10s\n", variant->title, answer->smallest,
		size_print(smallest, answer->smallest),
		overhead_text(more, overhead(answer, trace)), answer->recommended,
		size_print(recommended, answer->recommended));
}

static void spread_print(FILE *stream, const struct answers *answers)
{
	const struct answer *answer = &answers->list[ANSWER_RUN];
	char least[SIZE_TEXT_MAX], most[SIZE_TEXT_MAX];

	if (!answer->smallest)
		answer = &answers->list[ANSWER_PRIVATE];
	if (answers->runs < 2)
		return;
	fprintf(stream, "\n%zu runs: the first line's smallest was from %s to %s", answers->runs,
		size_print(least, answer->least), size_print(most, answer->smallest));
	fprintf(stream, " (%.1f %% more)\n",
		100.0 * ((double)answer->smallest / (double)answer->least - 1));
}

static void advice_print(FILE *stream, const struct answers *answers)
{
	size_t size = answers->list[ANSWER_RUN].recommended;
	const char *runs = answers->runs > 1 ? "these runs need" : "this run needs";
	char most[SIZE_TEXT_MAX];

	spread_print(stream, answers);
	if (size)
		fprintf(stream, "\n'bheap run --size=%zuK' grants what %s. Another input, or\n",
			size >> 10, runs);
	else
		fprintf(stream, "\nThis is what %s. Another input, or\n", runs);
	fputs("threads that interleave otherwise, may need more: the margin is for that.\n",
	      stream);
	if (margin_is_cut(answers))
		fprintf(stream, "No heap is larger than %s, so the margin is smaller.\n",
			size_print(most, BHEAP_SIZE_MAX));
}

void answers_print(FILE *stream, const struct answers *answers)
{
	char heading[32];

	snprintf(heading, sizeof(heading), "recommended (+%u %%)", answers->margin);
	fprintf(stream, "%-25s %22s %8s %22s\n", "", "smallest that suffices", "overhead", heading);
	for (unsigned kind = 0; kind < ANSWER_KINDS; kind++)
		if (answers->list[kind].smallest)
			row_print(stream, &variants[kind], &answers->list[kind], answers->largest);
	advice_print(stream, answers);
}

static struct json_object *answer_json(const struct answer *answer, const struct trace *largest)
{
	struct json_object *heap = json_object_new_object();

	json_object_object_add(heap, "smallest", json_object_new_uint64(answer->smallest));
	if (answer->least)
		json_object_object_add(heap, "smallest_of_runs",
				       json_object_new_uint64(answer->least));
	json_object_object_add(heap, "recommended", json_object_new_uint64(answer->recommended));
	json_object_object_add(heap, "overhead",
			       json_object_new_double(overhead(answer, largest) / 100));
	return heap;
}

struct json_object *answers_json(const struct answers *answers)
{
	struct json_object *heaps = json_object_new_object();

	for (unsigned kind = 0; kind < ANSWER_KINDS; kind++)
		if (answers->list[kind].smallest)
			json_object_object_add(heaps, variants[kind].name,
					       answer_json(&answers->list[kind], answers->largest));
	return heaps;
}
