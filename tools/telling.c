/* SPDX-License-Identifier: MIT */
/*
 * telling.c - see telling.h.
 */
#include "telling.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "setting.h"
#include "stream.h"

#define LINE_SIZE 120
/* The part of the area that is for faults alone, beside one chunk. */
#define KEPT_PART 16

/* How long the end of a process waits for a thread that is inside, in nanoseconds. */
#define PATIENCE 50000000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Under the lock. */
static struct stream stream;
static char *window;
static size_t window_used, window_size;
static char *generation; /* 0 in the child of a fork */
static unsigned fault_count;
static bool is_window_of_faults; /* what lies behind what is for all */

void record_lock(void)
{
	pthread_mutex_lock(&lock);
}

void record_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

bool telling_lock_soon(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return pthread_mutex_timedlock(&lock, &until) == 0;
}

bool telling_open(void)
{
	const char *table = setting_find("BHEAP_TRAIL_TABLE");

	if (!table || !stream_open(&stream, table))
		return false;
	generation = table_generation();
	return true;
}

void telling_name(void)
{
	if (stream.slot)
		table_name(stream.slot);
}

/* Parent and child would write over one another. */
void telling_fork(void)
{
	window_used = window_size;
	fault_count = 0;
	is_window_of_faults = false;
	if (generation)
		*generation = 1;
	if (stream.slot && !stream_fork(&stream))
		stream.slot = NULL;
}

/* False if only faults may be told from here on. */
static bool is_room_for_all(void)
{
	const struct table_view *view = &stream.view;
	size_t used = __atomic_load_n(&view->table->area_used, __ATOMIC_RELAXED);
	size_t wanted = stream.chunk ? STREAM_UNITS_MOST : 1, units = view->area_size / STREAM_UNIT;

	return used + wanted + STREAM_UNITS_MOST + units / KEPT_PART <= units;
}

/* What of the last window is left is zeros, which mean nothing. */
static bool window_move(bool is_fault)
{
	bool for_all = is_room_for_all();

	if (!for_all && !is_fault)
		return false;
	is_window_of_faults = !for_all;
	window_used = window_size = 0;
	return stream_move(&stream, &window, &window_size);
}

static bool window_has_room(bool is_fault)
{
	if (generation && !*generation)
		telling_fork(); /* by _Fork(3), which calls no handlers */
	if (!stream.slot)
		return false;
	if (!is_fault && is_window_of_faults)
		return false;
	return window_used + LINE_SIZE <= window_size || window_move(is_fault);
}

static void line_add(bool is_fault, const char *format, va_list arguments)
{
	int length;

	if (!window_has_room(is_fault))
		return;
	length = vsnprintf(window + window_used, LINE_SIZE, format, arguments);
	window_used += (size_t)length;
	stream_note(&stream, (size_t)length, is_fault, 0);
}

void record_line(int64_t size, const char *format, ...)
{
	va_list arguments;

	(void)size;
	va_start(arguments, format);
	line_add(false, format, arguments);
	va_end(arguments);
}

static void __attribute__((format(printf, 1, 2))) fault_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line_add(true, format, arguments);
	va_end(arguments);
}

void telling_fault(const struct telling_fault *fault)
{
	if (!window_has_room(true) || fault_count++ >= TELLING_FAULTS)
		return;
	fault_line(TELLING_LINE, table_index(stream.view.table, stream.slot), fault->kind,
		   (uintmax_t)fault->address, (uintmax_t)fault->size, (uintmax_t)fault->block,
		   (uintmax_t)fault->block_size, fault->made, fault->freed, fault->now,
		   fault->known);
}
