/* SPDX-License-Identifier: MIT */
/*
 * summary.c - see summary.h.
 */
#include "summary.h"

#include <err.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "outside.h"
#include "reason.h"
#include "running.h"
#include "size_text.h"
#include "summary_others.h"
#include "utf8.h"

/* ---- the program ---- */

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* Free bytes, and those of them that lie in the largest block. */
struct free_part {
	uint64_t all, largest;
};

/* Of the heap; of the part that was used, where the heap is only as large as a heap can be. */
static struct free_part free_part(const uint64_t *figures, bool sized)
{
	if (sized)
		return (struct free_part){figures[FIGURE_FREE], figures[FIGURE_LARGEST_FREE]};
	return (struct free_part){figures[FIGURE_EXTENT] - figures[FIGURE_USED],
				  figures[FIGURE_LARGEST_HOLE]};
}

static void fragmentation_print(FILE *stream, const uint64_t *figures, bool sized)
{
	struct free_part part = free_part(figures, sized);
	uint64_t scattered = part.all - part.largest;
	char one[SIZE_TEXT_MAX], other[SIZE_TEXT_MAX];

	fprintf(stream, "  %-16s %.1f %%: %s of %s free lie in smaller blocks\n", "fragmentation",
		percent(scattered, part.all), size_print(one, scattered),
		size_print(other, part.all));
}

static void peak_print(FILE *stream, const uint64_t *figures, bool sized)
{
	char peak[SIZE_TEXT_MAX], extent[SIZE_TEXT_MAX];

	fprintf(stream, "  %-16s %s", "peak", size_print(peak, figures[FIGURE_PEAK_USED]));
	if (sized)
		fprintf(stream, " (%.1f %% of the heap)",
			percent(figures[FIGURE_PEAK_USED], figures[FIGURE_SIZE]));
	fprintf(stream, ", within the first %s\n", size_print(extent, figures[FIGURE_EXTENT]));
}

/* "of 3.91 MiB": how large the refused requests were. */
static void refused_print(FILE *stream, uint64_t refused, uint64_t largest)
{
	bool unbounded = largest >= SIZE_REFUSED_MOST, several = refused > 1;
	char text[SIZE_TEXT_MAX];

	fprintf(stream, "%sof %s%s, ", several && unbounded ? "some " : "",
		size_print_refused(text, largest), several && !unbounded ? " at most" : "");
}

static void failures_print(FILE *stream, const uint64_t *figures)
{
	uint64_t refused = figures[FIGURE_FAILURES], faults = figures[FIGURE_FAULTS];

	fprintf(stream, "  %-16s %" PRIu64 " request%s refused, ", "failures", refused,
		plural(refused));
	if (refused)
		refused_print(stream, refused, figures[FIGURE_LARGEST_REFUSED]);
	fprintf(stream, "%" PRIu64 " fault%s\n", faults, plural(faults));
}

static void heap_print(FILE *stream, const struct record *record, bool sized)
{
	const uint64_t *figures = record->figures;
	char one[SIZE_TEXT_MAX];

	fprintf(stream, "  %-16s %s%s\n", "heap", size_print(one, figures[FIGURE_SIZE]),
		sized ? "" : ", for no size was given");
	peak_print(stream, figures, sized);
	fprintf(stream, "  %-16s %" PRIu64 " allocated, %" PRIu64 " freed\n", "blocks",
		figures[FIGURE_ALLOCATIONS], figures[FIGURE_FREES]);
	fprintf(stream, "  %-16s %" PRIu64 " block%s, %s in all\n", "live at the end",
		figures[FIGURE_LIVE_BLOCKS], plural(figures[FIGURE_LIVE_BLOCKS]),
		size_print(one, figures[FIGURE_USED]));
	if (record->walked)
		fragmentation_print(stream, figures, sized);
	failures_print(stream, figures);
}

static double cpu_seconds(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       1e-6 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void end_print(FILE *stream, const struct summary *summary)
{
	const struct child_end *end = &summary->end;
	char program[UTF8_TEXT_MAX];

	utf8_text(program, summary->argv[0]);
	if (end->signal)
		fprintf(stream, "bheap: %s was ended by %s\n", program, child_end_signal(end));
	else
		fprintf(stream, "bheap: %s ended with status %d\n", program, end->status);
}

/* Why there is nothing to tell, or NULL. */
static const char *reason_for(const struct summary *summary, const struct record *record)
{
	const struct unreached_program *own = unreached_own(&summary->unreached, true);

	if (record && record->figures[FIGURE_ALLOCATIONS])
		return NULL;
	return own ? own->reason : reason_find(summary->argv[0]);
}

static bool end_is_told(const struct record *record)
{
	return !record || record->figures[FIGURE_ENDED];
}

/* True if a process was another program at first. */
static bool was_another(const struct records *records, const struct record *record)
{
	bool was = false;

	for (size_t index = 0; index < records->count && record; index++)
		was |= records->list[index].replaced &&
		       table_is_same(records->list[index].process, record->process);
	return was && !record->replaced;
}

/* How far the figures can be trusted, and whose they are. */
static void figures_explain(FILE *stream, const struct summary *summary,
			    const struct record *record)
{
	const struct unreached_program *own = unreached_own(&summary->unreached, false);
	char name[UTF8_TEXT_MAX];

	if (own)
		fprintf(stream, "  it executed %s, which was not measured:\n  %s\n",
			utf8_text(name, unreached_name(own)), own->reason);
	if (own && record)
		fprintf(stream, "  the statistics are of %s, as it was before that\n",
			utf8_text(name, record->program));
	else if (was_another(&summary->records, record))
		fprintf(stream, "  the statistics are of %s, which it executed\n",
			utf8_text(name, record->program));
	if (!own && !end_is_told(record))
		fprintf(stream,
			"  these statistics may be old, as its end was not recorded: they may lack\n"
			"  %zu KiB of freed blocks, or %zu KiB of memory that it used for the first time\n",
			ACCOUNT_FREED >> 10, ACCOUNT_GROWTH >> 10);
}

static bool is_alone(const struct summary *summary)
{
	const struct unreached *unreached = &summary->unreached;
	bool others = summary->records.count > 1;

	for (size_t index = 0; index < unreached->count; index++)
		others = others || !unreached->list[index].own;
	return !others;
}

static void program_print(FILE *stream, const struct summary *summary)
{
	const struct record *record =
		records_find(&summary->records, handover_process(&summary->end));
	const char *reason = reason_for(summary, record);
	const struct rusage *usage = &summary->end.usage;
	char resident[SIZE_TEXT_MAX];

	end_print(stream, summary);
	figures_explain(stream, summary, record);
	if (record)
		heap_print(stream, record, summary->sized);
	else
		fputs("  it left no record of its heap\n", stream);
	if (reason)
		fprintf(stream, "  %s\n", reason);
	else if (!record && !unreached_own(&summary->unreached, false))
		fputs("  it could not load the library, or was ended before it began\n", stream);
	fprintf(stream, "  %-16s %.2f s processor time in %.2f s, peak %s resident\n",
		is_alone(summary) ? "process" : "processes", cpu_seconds(usage),
		summary->end.seconds, size_print(resident, (uint64_t)usage->ru_maxrss * 1024));
	outside_print(stream, record);
}

/* ---- settings ---- */

static const char *const setting_names[] = {
	"BHEAP_MALLOC_SIZE", "BHEAP_MALLOC_ABORT", "BHEAP_MALLOC_GUARD", "BHEAP_MALLOC_CACHE",
	"BHEAP_MALLOC_TRIM", "BHEAP_ABORT",        "BHEAP_GUARD",
};
#define SETTINGS (sizeof(setting_names) / sizeof(*setting_names))

/* The value of a setting that the program found in the environment and no option made; or NULL. */
static const char *setting_found(const struct summary *summary, const char *name)
{
	const char *value = getenv(name);

	for (char *const *own = summary->overridden; value && *own; own++)
		if (strncmp(*own, name, strlen(name)) == 0 && (*own)[strlen(name)] == '=')
			return NULL;
	return value && *value ? value : NULL;
}

static void settings_print(FILE *stream, const struct summary *summary)
{
	for (size_t index = 0; index < SETTINGS; index++) {
		const char *value = setting_found(summary, setting_names[index]);
		char text[UTF8_TEXT_MAX];

		if (value)
			fprintf(stream, "  %-16s %s=%s\n", "environment", setting_names[index],
				utf8_text(text, value));
	}
}

static void settings_json(struct json_object *object, const struct summary *summary)
{
	struct json_object *settings = json_object_new_object();

	for (size_t index = 0; index < SETTINGS; index++) {
		const char *value = setting_found(summary, setting_names[index]);

		if (value)
			json_object_object_add(settings, setting_names[index], utf8_json(value));
	}
	json_object_object_add(object, "environment", settings);
}

/* ---- for people ---- */

static void stacks_print(FILE *stream, const struct summary *summary)
{
	uint64_t counted = 0;

	for (size_t index = 0; index < summary->records.count; index++)
		counted += summary->records.list[index].figures[FIGURE_FAULTS];
	if (summary->with_stacks)
		fault_stacks_print(stream, &summary->stacks, counted);
}

static void running_print(FILE *stream, const struct records *records)
{
	size_t count = records->running;

	if (count)
		fprintf(stream, "bheap: %zu process%s %s on: " RUNNING_ADVICE "\n", count,
			count == 1 ? "" : "es", running_verb(count, records->unsure));
}

void summary_print(FILE *stream, const struct summary *summary)
{
	char peak[SIZE_TEXT_MAX];
	bool others;

	stacks_print(stream, summary);
	others = summary_others_print(stream, summary);
	if (summary->records.missed)
		fprintf(stream, "bheap: %zu more processes are not counted: there is no room\n",
			summary->records.missed);
	running_print(stream, &summary->records);
	unreached_print(stream, &summary->unreached, "measured", false);
	program_print(stream, summary);
	settings_print(stream, summary);
	if (others)
		fprintf(stream, "  %-16s %s%s in use at one time\n", "all processes",
			summary->records.at_most ? "at most " : "",
			size_print(peak, summary->records.peak));
}

/* ---- as JSON ---- */

static struct json_object *figure_json(const struct record *record, enum figure figure)
{
	if (figure == FIGURE_ENDED)
		return json_object_new_boolean(record->figures[figure] != 0);
	if ((figure == FIGURE_LARGEST_FREE || figure == FIGURE_FREE_BLOCKS ||
	     figure == FIGURE_LARGEST_HOLE) &&
	    !record->walked)
		return NULL;
	return json_object_new_uint64(record->figures[figure]);
}

static struct json_object *record_json(const struct record *record, bool sized)
{
	struct json_object *object = json_object_new_object();
	struct free_part part = free_part(record->figures, sized);

	json_object_object_add(object, "process", json_object_new_int64(record->process.pid));
	json_object_object_add(object, "program", utf8_json(record->program));
	json_object_object_add(object, "forked", json_object_new_boolean(record->forked));
	json_object_object_add(object, "peak_resident",
			       record->resident ? json_object_new_uint64(record->resident) : NULL);
	for (unsigned index = 0; index < FIGURES; index++)
		json_object_object_add(object, figure_names[index],
				       figure_json(record, (enum figure)index));
	if (record->walked)
		json_object_object_add(
			object, "fragmentation",
			json_object_new_double(percent(part.all - part.largest, part.all) / 100));
	else
		json_object_object_add(object, "fragmentation", NULL);
	return object;
}

void summary_json(FILE *stream, const struct summary *summary)
{
	struct json_object *object = json_object_new_object(), *others = json_object_new_array();
	const struct records *records = &summary->records;
	const struct record *own = records_find(records, handover_process(&summary->end));

	json_object_object_add(object, "program", utf8_json(summary->argv[0]));
	json_object_object_add(object, "status", json_object_new_int(summary->end.status));
	json_object_object_add(object, "signal", json_object_new_int(summary->end.signal));
	json_object_object_add(object, "seconds", json_object_new_double(summary->end.seconds));
	json_object_object_add(object, "cpu_seconds",
			       json_object_new_double(cpu_seconds(&summary->end.usage)));
	json_object_object_add(object, "peak_resident",
			       json_object_new_int64((int64_t)summary->end.usage.ru_maxrss * 1024));
	json_object_object_add(object, "peak_of_all", json_object_new_uint64(records->peak));
	settings_json(object, summary);
	if (summary->remembered)
		json_object_object_add(object, "auto", remembered_json(summary->remembered));
	json_object_object_add(object, "running", json_object_new_uint64(records->running));
	json_object_object_add(object, "not_counted", json_object_new_uint64(records->missed));
	json_object_object_add(object, "not_measured", unreached_json(&summary->unreached));
	json_object_object_add(object, "heap", own ? record_json(own, summary->sized) : NULL);
	if (reason_for(summary, own))
		json_object_object_add(object, "reason", utf8_json(reason_for(summary, own)));
	for (size_t index = 0; index < records->count; index++)
		if (&records->list[index] != own)
			json_object_array_add(others,
					      record_json(&records->list[index], summary->sized));
	json_object_object_add(object, "other_processes", others);
	if (summary->with_stacks)
		json_object_object_add(object, "faults", fault_stacks_json(&summary->stacks));
	fprintf(stream, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}
