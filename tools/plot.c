/* SPDX-License-Identifier: MIT */
/*
 * plot.c - see plot.h.
 */
#include "plot.h"

#include <stdbool.h>

#include "size_text.h"
#include "svg.h"

#define WIDTH 960.0
#define HEIGHT 460.0
#define LEFT 90.0
#define RIGHT 24.0
#define TOP 70.0
#define BOTTOM 50.0
#define TICKS 5

struct frame {
	const struct moment *moments;
	size_t count;
	double ops, bytes; /* what the axes end at */
};

static double x_of(const struct frame *frame, double op)
{
	return LEFT + (WIDTH - LEFT - RIGHT) * op / frame->ops;
}

static double y_of(const struct frame *frame, double bytes)
{
	return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * bytes / frame->bytes;
}

/* ---- axes ---- */

/* The smallest of 1, 2, 5 times a power of the base that gives at most TICKS ticks. */
static double tick_step(double end, double unit)
{
	static const double steps[] = {1, 2, 5};
	double power = unit;

	for (;; power *= 10)
		for (unsigned index = 0; index < 3; index++)
			if (steps[index] * power * TICKS >= end)
				return steps[index] * power;
}

static double bytes_unit(double end)
{
	double unit = 1;

	while (unit * 1024 <= end)
		unit *= 1024;
	return unit >= 1024 && end / unit < TICKS ? unit / 10 : unit;
}

static void axes_draw(FILE *stream, const struct frame *frame)
{
	double step = tick_step(frame->bytes, bytes_unit(frame->bytes));
	char text[SIZE_TEXT_MAX];

	for (double bytes = 0; bytes <= frame->bytes; bytes += step) {
		double y = y_of(frame, bytes);

		svg_line(stream, LEFT, y, WIDTH - RIGHT, y, "#dddddd");
		svg_text(stream, LEFT - 8, y + 4, ANCHOR_END, 11,
			 size_print(text, (uint64_t)bytes));
	}
	step = tick_step(frame->ops, 1);
	for (double op = 0; op <= frame->ops; op += step) {
		snprintf(text, sizeof(text), "%.0f", op);
		svg_text(stream, x_of(frame, op), HEIGHT - BOTTOM + 18, ANCHOR_MIDDLE, 11, text);
	}
	svg_text(stream, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, ANCHOR_MIDDLE, 12,
		 "operations: malloc(), realloc(), free()");
	svg_line(stream, LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#444444");
	svg_line(stream, LEFT, TOP, LEFT, HEIGHT - BOTTOM, "#444444");
}

/* ---- lines ---- */

static size_t live_of(const struct moment *moment)
{
	return moment->live;
}

static size_t used_of(const struct moment *moment)
{
	return moment->used;
}

static size_t largest_free_of(const struct moment *moment)
{
	return moment->largest_free;
}

static const struct series {
	const char *name;
	const char *colour;
	bool filled;
	size_t (*value)(const struct moment *);
} series[] = {
	{"heap in use", "#f2c9a6", true, used_of},
	{"largest free block", "#009e73", false, largest_free_of},
	{"live bytes, as asked for", "#0072b2", false, live_of},
};
#define SERIES (sizeof(series) / sizeof(*series))

static void series_draw(FILE *stream, const struct frame *frame, const struct series *one)
{
	double first = x_of(frame, (double)frame->moments[0].op);
	double last = x_of(frame, (double)frame->moments[frame->count - 1].op);

	svg_path_begin(stream, one->colour, one->filled ? 0 : 1.5);
	if (one->filled)
		svg_point(stream, first, y_of(frame, 0), 1);
	for (size_t index = 0; index < frame->count; index++) {
		const struct moment *moment = &frame->moments[index];

		svg_point(stream, x_of(frame, (double)moment->op),
			  y_of(frame, (double)one->value(moment)), index == 0 && !one->filled);
	}
	if (one->filled)
		svg_point(stream, last, y_of(frame, 0), 0);
	svg_path_end(stream);
}

static void level_draw(FILE *stream, const struct frame *frame, size_t size, const char *name)
{
	double y = y_of(frame, (double)size);
	char bytes[SIZE_TEXT_MAX], text[64];

	snprintf(text, sizeof(text), "%s: %s", name, size_print(bytes, size));
	svg_line(stream, LEFT, y, WIDTH - RIGHT, y, "#222222");
	svg_text(stream, WIDTH - RIGHT - 4, y - 4, ANCHOR_END, 11, text);
}

void plot_draw(FILE *stream, const struct trace *trace, const struct moment *moments, size_t count,
	       size_t size, size_t smallest)
{
	struct frame frame = {moments, count, (double)trace->op_count, 1.05 * (double)size};
	char title[128];
	double x = LEFT;

	snprintf(title, sizeof(title), "The heap of %.64s over time", trace->name);
	svg_begin(stream, WIDTH, HEIGHT, title);
	svg_text(stream, LEFT, 24, ANCHOR_START, 16, title);
	series_draw(stream, &frame, &series[0]); /* the area, below the grid */
	axes_draw(stream, &frame);
	level_draw(stream, &frame, smallest, "smallest heap that suffices");
	for (unsigned index = 0; index < SERIES; index++, x += 190) {
		if (index)
			series_draw(stream, &frame, &series[index]);
		svg_rect(stream, x, 40, 14, 6, series[index].colour, 1);
		svg_text(stream, x + 20, 47, ANCHOR_START, 12, series[index].name);
	}
	svg_end(stream);
}
