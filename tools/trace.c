/* SPDX-License-Identifier: MIT */
/*
 * trace.c - reads, checks and builds allocation traces.
 */
#include "trace.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "memory.h"

#define LINE_SIZE 256
/* Slots are indexes of a table, so a stray ID must not make us allocate the machine. */
#define SLOT_MAX (UINT32_C(1) << 27)
#define THREADS_MAX 65536

static void slots_reserve(struct trace *trace, uint32_t slot)
{
	if (slot < trace->slot_room)
		return;
	uint32_t room = slot * 2 + 1024;
	trace->live_sizes = memory_resize(trace->live_sizes, room * sizeof(*trace->live_sizes));
	memset(trace->live_sizes + trace->slot_room, 0,
	       (room - trace->slot_room) * sizeof(*trace->live_sizes));
	trace->slot_room = room;
}

static void ops_push(struct trace *trace, struct trace_op op)
{
	if (trace->op_count == trace->op_room) {
		trace->op_room = trace->op_room * 2 + 4096;
		trace->ops = memory_resize(trace->ops, trace->op_room * sizeof(*trace->ops));
	}
	trace->ops[trace->op_count++] = op;
	trace->counts[op.kind]++;
}

/* Keeps the figures of the blocks alive; before and after are size + 1, 0 for a block not live. */
static void live_update(struct trace *trace, uint64_t before, uint64_t after)
{
	trace->live_size += (size_t)((after ? after - 1 : 0) - (before ? before - 1 : 0));
	trace->live_blocks += (size_t)(after != 0) - (size_t)(before != 0);
	if (trace->live_size > trace->peak_size)
		trace->peak_size = trace->live_size;
	if (trace->live_blocks > trace->peak_blocks)
		trace->peak_blocks = trace->live_blocks;
}

void trace_begin(struct trace *trace, const char *name)
{
	*trace = (struct trace){.name = memory_copy(name, strlen(name) + 1)};
}

void trace_release(struct trace *trace)
{
	free(trace->name);
	free(trace->ops);
	free(trace->live_sizes);
	*trace = (struct trace){0};
}

const char *trace_append(struct trace *trace, struct trace_op op)
{
	if (op.slot >= SLOT_MAX)
		return "the ID is too large";
	if (op.size > PTRDIFF_MAX - trace->live_size)
		return "the size is too large";
	slots_reserve(trace, op.slot);

	uint64_t *live = &trace->live_sizes[op.slot];
	bool makes = op.kind == TRACE_ALLOC || op.kind == TRACE_ALIGNED;
	if (makes && *live != 0)
		return "the ID is in use already";
	if (!makes && *live == 0)
		return "the ID is not that of a live block";

	/*
	 * realloc(3) to 0 bytes frees in some allocators and not in others; to 1 is the same for
	 * all.
	 */
	if (op.kind == TRACE_RESIZE && op.size == 0)
		op.size = 1;
	uint64_t after = op.kind == TRACE_FREE ? 0 : (uint64_t)op.size + 1;
	live_update(trace, *live, after);
	*live = after;
	if (op.slot >= trace->slot_count)
		trace->slot_count = op.slot + 1;
	ops_push(trace, op);
	return NULL;
}

/* Takes " NUMBER" off the start of *text; decimal digits only. */
static bool number_parse(const char **text, uint64_t *value)
{
	const char *digits = *text + 1;
	if (**text != ' ' || *digits < '0' || *digits > '9')
		return false;
	char *end;
	errno = 0;
	*value = strtoumax(digits, &end, 10);
	*text = end;
	return errno == 0;
}

static bool alignment_parse(const char **text, struct trace_op *op)
{
	uint64_t alignment;
	if (!number_parse(text, &alignment) || alignment == 0 ||
	    (alignment & (alignment - 1)) != 0 || alignment > SIZE_MAX)
		return false;
	op->alignment_log2 = (uint8_t)__builtin_ctzll(alignment);
	return true;
}

/* A size that this machine cannot have is as good as its largest: trace_append() refuses both. */
static bool size_parse(const char **text, size_t *size)
{
	uint64_t value;
	if (!number_parse(text, &value))
		return false;
	*size = value < SIZE_MAX ? (size_t)value : SIZE_MAX;
	return true;
}

/* "t NUMBER": of no operation, but of the whole. */
static const char *threads_parse(const char *line, struct trace *trace)
{
	const char *rest = line + 1;
	uint64_t threads;
	if (!number_parse(&rest, &threads) || *rest != '\0' || threads > THREADS_MAX)
		return "a number of threads was expected";
	trace->threads = (uint32_t)threads;
	return NULL;
}

/* One line without its newline; NULL, or what is wrong with it. */
static const char *line_parse(const char *line, struct trace_op *op)
{
	static const char letters[] = "amrf"; /* in the order of enum trace_kind */
	const char *letter = line[0] != '\0' ? strchr(letters, line[0]) : NULL;
	if (letter == NULL)
		return "an operation begins with a, m, r or f";
	*op = (struct trace_op){.kind = (uint8_t)(letter - letters)};

	const char *rest = line + 1;
	uint64_t id;
	if (!number_parse(&rest, &id))
		return "an ID was expected";
	op->slot = id < SLOT_MAX ? (uint32_t)id : SLOT_MAX;
	if (op->kind == TRACE_ALIGNED && !alignment_parse(&rest, op))
		return "an alignment, a power of two, was expected";
	if (op->kind != TRACE_FREE && !size_parse(&rest, &op->size))
		return "a size was expected";
	return *rest == '\0' ? NULL : "there is more on the line than the operation takes";
}

static const char *line_take(const char *line, struct trace *trace)
{
	struct trace_op op;
	if (line[0] == 't')
		return threads_parse(line, trace);
	const char *fault = line_parse(line, &op);
	return fault != NULL ? fault : trace_append(trace, op);
}

static int trace_read(struct trace *trace, const char *path, gzFile file)
{
	char line[LINE_SIZE];
	size_t number = 0;

	while (gzgets(file, line, sizeof(line)) != NULL) {
		size_t length = strcspn(line, "\n");
		bool whole = line[length] == '\n' || gzeof(file);
		line[length] = '\0';
		number++;
		const char *fault = whole ? line_take(line, trace) : "the line is too long";
		if (fault != NULL) {
			warnx("%s:%zu: %s: '%.40s'", path, number, fault, line);
			return -1;
		}
	}
	int error;
	const char *text = gzerror(file, &error);
	if (error != Z_OK && error != Z_STREAM_END) {
		warnx("%s:%zu: cannot read on: %s", path, number + 1,
		      error == Z_ERRNO ? strerror(errno) : text);
		return -1;
	}
	if (number == 0) {
		warnx("%s:1: the trace is empty", path);
		return -1;
	}
	return 0;
}

static gzFile input_open(void)
{
	int input = dup(STDIN_FILENO);
	gzFile file = input >= 0 ? gzdopen(input, "rb") : NULL;

	if (file == NULL && input >= 0)
		close(input);
	return file;
}

int trace_load(struct trace *trace, const char *path)
{
	bool is_input = strcmp(path, "-") == 0;
	gzFile file = is_input ? input_open() : gzopen(path, "rb");
	const char *slash = strrchr(path, '/');

	if (is_input)
		path = "standard input";
	trace_begin(trace, slash != NULL ? slash + 1 : path);
	trace->name[strcspn(trace->name, ".")] = '\0';
	if (file == NULL) {
		warnx("%s: %s", path, errno != 0 ? strerror(errno) : "out of memory");
		trace_release(trace);
		return -1;
	}
	gzbuffer(file, 1 << 17);
	int result = trace_read(trace, path, file);
	gzclose(file);
	if (result != 0)
		trace_release(trace);
	return result;
}
