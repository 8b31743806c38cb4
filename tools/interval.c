/* SPDX-License-Identifier: MIT */
/*
 * interval.c - see interval.h.
 */
#include "interval.h"

#include <err.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "living.h"
#include "records.h"
#include "size_text.h"

#define SECONDS_LEAST 0.1
#define SECONDS_MOST 86400.0
#define READ_MOST 32     /* processes whose memory is read for a line */
#define HEADING_EVERY 20 /* lines */

/* ---- the time ---- */

static double unit_parse(const char *text)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {{"", 1}, {"s", 1}, {"ms", 0.001}, {"m", 60}, {"h", 3600}};

	for (size_t index = 0; index < sizeof(units) / sizeof(*units); index++)
		if (strcmp(text, units[index].name) == 0)
			return units[index].seconds;
	return 0;
}

bool interval_parse(struct interval *interval, const char *text)
{
	size_t digits = strspn(text, "0123456789.");
	char *rest;
	double seconds = strtod(text, &rest);

	if (digits && rest == text + digits)
		seconds *= unit_parse(rest);
	else
		seconds = 0;
	if (seconds < SECONDS_LEAST || seconds > SECONDS_MOST) {
		warnx("--every: '%s' is no time from 0.1s to 24h (s, ms, m, h)", text);
		return false;
	}
	interval->seconds = seconds;
	return true;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void interval_begin(struct interval *interval, FILE *stream, bool json, struct handover *handover)
{
	interval->stream = stream;
	interval->json = json;
	interval->handover = handover;
	interval->begun = now();
	interval->next = interval->begun + interval->seconds;
}

/* ---- what there is ---- */

struct sample {
	double seconds;
	size_t processes;
	uint64_t used, blocks, peak, resident;
	bool old;      /* some of it may be */
	bool changing; /* some of it is of several moments */
};

/*
 * Of the process that has a slot. False if its memory may not be read; where processes are numbered
 * anew the number may be another one's: *resident is 0 then.
 */
static bool memory_read(const struct table_slot *slot, struct bheap_stats *stats, bool *changing,
			uint64_t *resident)
{
	struct process process;
	struct living living;
	char number[32];
	bool denied, read;

	*resident = 0;
	snprintf(number, sizeof(number), "%ld", handover_number(slot));
	if (process_find(&process, number))
		return false;
	read = !living_find(&living, &process, &denied) && living_stats(&living, stats, changing);
	if (read || process_is_named(&process, slot->program))
		*resident = process_resident(process.pid);
	return read;
}

/* Beyond the processes that are read. */
static uint64_t many_rest(struct sample *sample, const struct table_slot *slot)
{
	sample->old = true;
	return process_resident(handover_number(slot));
}

static void process_add(struct sample *sample, const struct table_slot *slot)
{
	struct bheap_stats stats = {
		.used = (size_t)slot->figures[ACCOUNT_USED],
		.live_blocks = (size_t)slot->figures[ACCOUNT_LIVE_BLOCKS],
		.peak_used = (size_t)slot->figures[ACCOUNT_PEAK_USED],
	};
	bool changing = false;
	uint64_t resident;

	if (sample->processes++ < READ_MOST)
		sample->old |= !memory_read(slot, &stats, &changing, &resident);
	else
		resident = many_rest(sample, slot);
	sample->changing |= changing;
	sample->used += stats.used;
	sample->blocks += stats.live_blocks;
	sample->resident += resident;
	if (stats.peak_used > sample->peak)
		sample->peak = stats.peak_used;
}

static void sample_take(struct sample *sample, struct interval *interval)
{
	const struct table *table = interval->handover->table;
	size_t missed, slots = handover_count(interval->handover, &missed);
	uint64_t most = __atomic_load_n(&table->peak, __ATOMIC_RELAXED);

	*sample = (struct sample){.seconds = now() - interval->begun, .peak = interval->peak};
	for (size_t index = 0; index < slots; index++)
		if (handover_runs(&table->slots[index]))
			process_add(sample, &table->slots[index]);
	if (!sample->processes)
		sample->resident = process_resident(table->process.pid);
	if (most > sample->peak)
		sample->peak = most;
	if (sample->used > sample->peak)
		sample->peak = sample->used;
	interval->peak = sample->peak;
}

/* ---- a line ---- */

static void heading_print(struct interval *interval)
{
	if (interval->lines++ % HEADING_EVERY == 0)
		fprintf(interval->stream, "bheap: %8s %12s  %11s %12s %12s %9s\n", "time", "in use",
			"blocks", "peak", "resident", "processes");
}

static char mark_of(const struct sample *sample)
{
	if (sample->old)
		return '*';
	return sample->changing ? '~' : ' ';
}

/* A mark is explained below the first line that has it. */
static void mark_explain(struct interval *interval, char mark)
{
	if (mark == '*' && !interval->old_explained)
		fputs("bheap: * may be old: the memory of a process cannot be read\n",
		      interval->stream);
	if (mark == '~' && !interval->changing_explained)
		fputs("bheap: ~ about: the heap of a process changed while it was read\n",
		      interval->stream);
	interval->old_explained |= mark == '*';
	interval->changing_explained |= mark == '~';
}

static void sample_print(struct interval *interval, const struct sample *sample)
{
	char used[SIZE_TEXT_MAX] = "-", blocks[24] = "-", peak[SIZE_TEXT_MAX] = "-";
	char resident[SIZE_TEXT_MAX] = "-";

	if (sample->processes) {
		size_print(used, sample->used);
		size_print(peak, sample->peak);
		snprintf(blocks, sizeof(blocks), "%" PRIu64, sample->blocks);
	}
	if (sample->resident)
		size_print(resident, sample->resident);
	heading_print(interval);
	fprintf(interval->stream, "bheap: %6.1f s %12s%c %11s %12s %12s %9zu\n", sample->seconds,
		used, mark_of(sample), blocks, peak, resident, sample->processes);
	mark_explain(interval, mark_of(sample));
}

static void number_add(struct json_object *object, const char *name, bool known, uint64_t number)
{
	json_object_object_add(object, name, known ? json_object_new_uint64(number) : NULL);
}

static void sample_json(FILE *stream, const struct sample *sample)
{
	struct json_object *object = json_object_new_object();
	bool known = sample->processes;

	json_object_object_add(object, "seconds", json_object_new_double(sample->seconds));
	json_object_object_add(object, "processes", json_object_new_uint64(sample->processes));
	number_add(object, "used", known, sample->used);
	number_add(object, "live_blocks", known, sample->blocks);
	number_add(object, "peak_used", known, sample->peak);
	number_add(object, "resident", sample->resident, sample->resident);
	json_object_object_add(object, "may_be_old", json_object_new_boolean(sample->old));
	json_object_object_add(object, "changing", json_object_new_boolean(sample->changing));
	fprintf(stream, "%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
	json_object_put(object);
}

static void line_print(struct interval *interval)
{
	struct sample sample;

	sample_take(&sample, interval);
	if (interval->json)
		sample_json(interval->stream, &sample);
	else
		sample_print(interval, &sample);
	fflush(interval->stream);
}

void interval_watch(void *arg)
{
	struct interval *interval = arg;
	sigset_t alarm, before;

	records_watch(interval->handover);
	if (interval->seconds <= 0 || now() < interval->next)
		return;
	/* The next alarm would end a write to a pipe that is full. */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, &before);
	line_print(interval);
	sigprocmask(SIG_SETMASK, &before, NULL);
	while (interval->next <= now())
		interval->next += interval->seconds;
}
