/* SPDX-License-Identifier: MIT */
/*
 * recording.c - see recording.h. The recorder is record.c; what it writes has addresses, which
 * become block numbers here.
 */
#include "recording.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "live.h"
#include "others.h"
#include "reason.h"
#include "running.h"
#include "streams.h"

/* A sparse file: no recording is longer. */
#define AREA_SIZE (sizeof(void *) > 4 ? (size_t)1 << 36 : (size_t)1 << 29)

/* A raw recording on its way to a trace. */
struct conversion {
	struct trace *trace;
	struct calls *calls; /* or NULL */
	struct live_table live;
	uint32_t *spare; /* slots that may be used again */
	size_t spare_count, spare_room;
	uint32_t slot_count;
	uint64_t kind; /* enum tally_kind of the next operation, if the recorder told; else below */
};

/* The kind is that which the operation has of itself. */
#define KIND_OF_OPERATION TALLY_KINDS

/* ---- slots ---- */

static uint32_t slot_take(struct conversion *conversion)
{
	return conversion->spare_count ? conversion->spare[--conversion->spare_count]
				       : conversion->slot_count++;
}

static void slot_return(struct conversion *conversion, uint32_t slot)
{
	if (conversion->spare_count == conversion->spare_room) {
		conversion->spare_room = conversion->spare_room * 2 + 1024;
		conversion->spare = reallocarray(conversion->spare, conversion->spare_room,
						 sizeof(*conversion->spare));
		if (!conversion->spare)
			err(1, "recording");
	}
	conversion->spare[conversion->spare_count++] = slot;
}

/* ---- counting ---- */

/* Bytes that were asked for of a live block. */
static uint64_t size_of(const struct conversion *conversion, uint32_t slot)
{
	return conversion->trace->live_sizes[slot] - 1;
}

static void count(struct conversion *conversion, enum tally_kind usual, uint64_t before,
		  uint64_t after)
{
	enum tally_kind kind =
		conversion->kind < KIND_OF_OPERATION ? (enum tally_kind)conversion->kind : usual;

	tally_count(&conversion->trace->tally, kind, before, after);
	conversion->kind = KIND_OF_OPERATION;
}

/* ---- operations ---- */

/* Returns what is wrong with it, as trace_append() does, or NULL. */
static const char *block_end(struct conversion *conversion, uint32_t slot)
{
	slot_return(conversion, slot);
	return trace_append(conversion->trace, (struct trace_op){.kind = TRACE_FREE, .slot = slot});
}

static const char *block_free(struct conversion *conversion, uintptr_t address)
{
	uint32_t slot;

	/* Of a block from before the recording nothing is known. */
	if (!live_remove(&conversion->live, address, &slot)) {
		count(conversion, TALLY_FREE, 0, 0);
		return NULL;
	}
	count(conversion, TALLY_FREE, size_of(conversion, slot), 0);
	return block_end(conversion, slot);
}

static const char *op_append(struct conversion *conversion, struct trace_op op, uint64_t stack)
{
	const char *wrong = trace_append(conversion->trace, op);

	if (!wrong && conversion->calls && stack)
		calls_note(conversion->calls, conversion->trace->op_count - 1, (uint32_t)stack);
	return wrong;
}

static const char *block_make(struct conversion *conversion, uintptr_t address, struct trace_op op,
			      uint64_t stack)
{
	const char *wrong = NULL;

	if (live_remove(&conversion->live, address, &op.slot)) /* its free was missed */
		wrong = block_end(conversion, op.slot);
	if (wrong)
		return wrong;
	count(conversion, op.kind == TRACE_ALIGNED ? TALLY_ALIGNED : TALLY_MALLOC, 0, op.size);
	op.slot = slot_take(conversion);
	live_add(&conversion->live, address, op.slot);
	return op_append(conversion, op, stack);
}

static const char *block_resize(struct conversion *conversion, uintptr_t old, uintptr_t address,
				size_t size, uint64_t stack)
{
	struct trace_op op = {.kind = TRACE_RESIZE, .size = size};

	if (!live_remove(&conversion->live, old, &op.slot)) {
		conversion->kind = TALLY_REALLOC_MOVED;
		return block_make(conversion, address,
				  (struct trace_op){.kind = TRACE_ALLOC, .size = size}, stack);
	}
	count(conversion, old == address ? TALLY_REALLOC : TALLY_REALLOC_MOVED,
	      size_of(conversion, op.slot), size);
	live_add(&conversion->live, address, op.slot);
	return op_append(conversion, op, stack);
}

/* Of 0, which is none: that of the largest. */
static uint8_t alignment_log2(size_t alignment)
{
	return (uint8_t)__builtin_ctzll(alignment | (SIZE_MAX ^ SIZE_MAX >> 1));
}

/* Lines without a stack end early: its number is 0 then. */
static const char *op_convert(struct conversion *conversion, char kind, const char *text)
{
	uint64_t numbers[4] = {0};
	char *rest = (char *)(uintptr_t)text;

	for (unsigned index = 0; index < 4; index++)
		numbers[index] = strtoull(rest, &rest, 0);
	switch (kind) {
	case 'a':
		return block_make(
			conversion, (uintptr_t)numbers[0],
			(struct trace_op){.kind = TRACE_ALLOC, .size = (size_t)numbers[1]},
			numbers[2]);
	case 'm':
		return block_make(
			conversion, (uintptr_t)numbers[0],
			(struct trace_op){.kind = TRACE_ALIGNED,
					  .alignment_log2 = alignment_log2((size_t)numbers[1]),
					  .size = (size_t)numbers[2]},
			numbers[3]);
	case 'r':
		return block_resize(conversion, (uintptr_t)numbers[0], (uintptr_t)numbers[1],
				    (size_t)numbers[2], numbers[3]);
	case 'f': return block_free(conversion, (uintptr_t)numbers[0]);
	case 'k': conversion->kind = numbers[0]; return NULL;
	case 'x': tally_fail(&conversion->trace->tally, numbers[0]); return NULL;
	case 'z': tally_count(&conversion->trace->tally, TALLY_FREE_NULL, 0, 0); return NULL;
	default: return "not an operation";
	}
}

static const char *line_convert(void *arg, const char *line)
{
	struct conversion *conversion = arg;
	bool is_call = false;
	const char *wrong =
		conversion->calls ? calls_line(conversion->calls, line, &is_call) : NULL;

	return wrong || is_call ? wrong : op_convert(conversion, line[0], line + 1);
}

/* As the trace of this number. */
static bool stream_load(struct recording *recording, size_t number, const struct handover *handover,
			const struct stream_summary *summary)
{
	struct trace *trace = &recording->traces[number];
	struct conversion conversion = {.trace = trace, .kind = KIND_OF_OPERATION};
	const char *wrong;
	char name[64];

	snprintf(name, sizeof(name), "%s.%ld", summary->program, (long)summary->process.pid);
	trace_begin(trace, name);
	if (recording->with_calls)
		conversion.calls = &recording->calls[number];
	trace->threads = summary->threads;
	trace->resident = summary->resident;
	wrong = streams_read(handover, summary->slot, line_convert, &conversion);
	live_release(&conversion.live);
	free(conversion.spare);
	if (wrong) {
		warnx("%s: %s", name, wrong);
		trace_release(trace);
		calls_release(&recording->calls[number]);
	}
	return !wrong;
}

/* ---- recordings ---- */

/* Per cent of the highest peak from which on another process may need more, for want of order. */
#define RIVAL_SHARE 75

/* By peak; the one of several that is listed first, first. */
static int summary_order(const void *one, const void *other)
{
	const struct stream_summary *left = one, *right = other;

	if (left->peak != right->peak)
		return left->peak < right->peak ? 1 : -1;
	return (left->slot > right->slot) - (left->slot < right->slot);
}

/* Processes of one program are much alike; of what children of a fork(2) began with all have a
 * copy. */
static bool program_is_loaded(const struct recording *recording, const char *program)
{
	size_t length = strlen(program);

	for (size_t index = 0; index < recording->count; index++)
		if (strncmp(recording->traces[index].name, program, length) == 0 &&
		    recording->traces[index].name[length] == '.')
			return true;
	return false;
}

/* Those that may need more than the best. Of what cannot be read nothing is needed. */
static void rivals_take(struct recording *recording, const struct handover *handover,
			struct streams *streams)
{
	uint64_t least = streams->list[streams->best].peak / 100 * RIVAL_SHARE;

	qsort(streams->list, streams->count, sizeof(*streams->list), summary_order);
	streams->best = 0;
	for (size_t index = 1; index < streams->count && recording->count < RECORDING_TRACES;
	     index++)
		if (streams->list[index].peak >= least &&
		    !program_is_loaded(recording, streams->list[index].program) &&
		    stream_load(recording, recording->count, handover, &streams->list[index]))
			recording->count++;
}

/* Why no more could be recorded. */
static const char *shortage(int error)
{
	static char text[128];

	if (error == ENOMEM)
		return "too little address space is left for it: see ulimit -v";
	snprintf(text, sizeof(text), "TMPDIR: %s", strerror(error));
	return text;
}

/* Loads the one that needed most, and tells of the others. */
static bool streams_take(struct recording *recording, const struct handover *handover)
{
	struct streams streams;
	const struct stream_summary *best;
	bool good = false;

	streams_find(&streams, handover);
	recording->processes = streams.processes + streams.missed;
	best = &streams.list[streams.best];
	if (streams.count) {
		if (best->error)
			warnx("the recording of %s is cut short:\n  %s", best->program,
			      shortage(best->error));
		good = stream_load(recording, 0, handover, best);
	}
	if (good && best->executes)
		warnx("the answer is of %s, as it was before it executed another program",
		      best->program);
	if (good) {
		recording->count = 1;
		rivals_take(recording, handover, &streams);
		others_tell(&streams, recording->count > 1);
	}
	streams_release(&streams);
	return good;
}

static void end_tell(const char *program, const struct child_end *end)
{
	if (end->signal)
		warnx("%s was ended by %s", program, child_end_signal(end));
	else if (end->status)
		warnx("%s ended with status %d", program, end->status);
}

static void running_tell(const struct handover *handover)
{
	bool unsure;
	size_t running = running_count(handover, &unsure);

	if (running)
		warnx("of these processes %zu %s on: " RUNNING_ADVICE, running,
		      running_verb(running, unsure));
}

/* Where the program itself was not measured, its children may have been. */
static void absence_tell(const struct handover *handover, const struct child_end *end,
			 size_t processes, const char *program)
{
	const char *reason = NULL;
	int error = streams_error(handover);

	if (streams_have(handover, handover_process(end)))
		return;
	if (!processes && error) {
		warnx("nothing of %s was recorded:\n  %s", program, shortage(error));
		return;
	}
	reason = reason_find(program);
	if (processes && reason)
		warnx("%s itself was not measured:\n  %s", program, reason);
	if (!processes)
		warnx("%s: nothing was recorded:\n  %s", program,
		      reason ? reason : "it allocates nothing, or could not load the library");
}

/* Programs that were executed, into which nothing was preloaded. */
static void unreached_take(struct recording *recording, const struct handover *handover,
			   const struct child_end *end)
{
	unreached_find(&recording->unreached, handover, handover_process(end), STREAM_LENGTH);
	unreached_print(stderr, &recording->unreached, "measured", true);
}

void recording_release(struct recording *recording)
{
	while (recording->count) {
		trace_release(&recording->traces[--recording->count]);
		calls_release(&recording->calls[recording->count]);
	}
	unreached_release(&recording->unreached);
}

bool recording_make(struct recording *recording, bool with_calls, char **argv)
{
	static char callers[] = "BHEAP_RECORD_CALLERS=1";
	const char *library = child_library("BHEAP_RECORD_LIBRARY", PKGLIBDIR "/bheap-record.so");
	struct handover handover;
	struct child child = {.preload = library};
	struct child_end end;
	bool good;

	*recording = (struct recording){.with_calls = with_calls};
	if (!library || !handover_open(&handover, "BHEAP_RECORD_TABLE", AREA_SIZE, true))
		return false;
	handover_give(&handover, &child);
	child.environment = (char *[]){handover.setting, with_calls ? callers : NULL, NULL};
	child.watch = handover_watch;
	child.watch_arg = &handover;
	child_run(&child, argv, &end);
	handover_end(&handover, &end);
	if (end.ran)
		unreached_take(recording, &handover, &end);
	good = end.ran && streams_take(recording, &handover);
	if (end.ran)
		end_tell(argv[0], &end);
	if (end.ran)
		running_tell(&handover);
	if (end.ran)
		absence_tell(&handover, &end, recording->processes, argv[0]);
	handover_close(&handover);
	return good;
}

/* ---- saving ---- */

static int op_save(gzFile file, const struct trace_op *op)
{
	switch ((enum trace_kind)op->kind) {
	case TRACE_ALLOC: return gzprintf(file, "a %" PRIu32 " %zu\n", op->slot, op->size);
	case TRACE_ALIGNED:
		return gzprintf(file, "m %" PRIu32 " %zu %zu\n", op->slot,
				(size_t)1 << op->alignment_log2, op->size);
	case TRACE_RESIZE: return gzprintf(file, "r %" PRIu32 " %zu\n", op->slot, op->size);
	case TRACE_FREE:
	default: return gzprintf(file, "f %" PRIu32 "\n", op->slot);
	}
}

/* To a descriptor, which stays open. */
static bool ops_save(int fd, const char *mode, const struct trace *trace)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	gzFile file = own < 0 ? NULL : gzdopen(own, mode);
	bool good = file != NULL;

	if (good && trace->threads > 1)
		good = gzprintf(file, "t %" PRIu32 "\n", trace->threads) > 0;
	for (size_t op = 0; good && op < trace->op_count; op++)
		good = op_save(file, &trace->ops[op]) > 0;
	if (file && gzclose(file) != Z_OK)
		good = false;
	else if (!file && own >= 0)
		close(own);
	return good;
}

bool recording_save(const struct trace *trace, struct output *output)
{
	size_t length = strlen(output->path);
	bool compressed = length > 3 && strcmp(output->path + length - 3, ".gz") == 0;

	if (ops_save(fileno(output->stream), compressed ? "wb" : "wbT", trace))
		return output_keep(output);
	warn("%s", output->path);
	output_drop(output);
	return false;
}
