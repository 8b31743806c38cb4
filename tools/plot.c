/* SPDX-License-Identifier: MIT */
/*
 * plot.c - see plot.h.
 */
#include "plot.h"

#include <stdbool.h>
#include <string.h>

#include "frame_text.h"
#include "size_text.h"
#include "svg.h"

#define WIDTH 960.0
#define HEIGHT 460.0
#define LEFT 90.0
#define RIGHT 24.0
#define TOP 70.0
#define BOTTOM 50.0
#define TICKS 5

/* Right of the rest, if there are bands; and what fits there. */
#define LEGEND 270.0
#define LEGEND_TEXT_MAX 35

struct frame {
	const struct moment *moments;
	size_t count;
	const struct bands *bands;
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

/* ---- lines and areas ---- */

/* What is drawn of a moment; band: of those that one band alone has. */
typedef double value_fn(const struct frame *frame, size_t moment, size_t band);

static double live_of(const struct frame *frame, size_t moment, size_t band)
{
	(void)band;
	return (double)frame->moments[moment].live;
}

static double used_of(const struct frame *frame, size_t moment, size_t band)
{
	(void)band;
	return (double)frame->moments[moment].used;
}

static double largest_free_of(const struct frame *frame, size_t moment, size_t band)
{
	(void)band;
	return (double)frame->moments[moment].largest_free;
}

/* Where a band ends that lies on those before it. */
static double band_end_of(const struct frame *frame, size_t moment, size_t band)
{
	double end = 0;

	for (size_t index = 0; index <= band; index++)
		end += (double)bands_bytes(frame->bands, moment, index);
	return end;
}

static void points_draw(FILE *stream, const struct frame *frame, value_fn *value, size_t band,
			bool begins)
{
	for (size_t index = 0; index < frame->count; index++)
		svg_point(stream, x_of(frame, (double)frame->moments[index].op),
			  y_of(frame, value(frame, index, band)), begins && index == 0);
}

static void line_draw(FILE *stream, const struct frame *frame, const char *colour, value_fn *value)
{
	svg_path_begin(stream, colour, 1.5);
	points_draw(stream, frame, value, 0, true);
	svg_path_end(stream);
}

static void area_draw(FILE *stream, const struct frame *frame, const char *colour, value_fn *value,
		      size_t band)
{
	svg_path_begin(stream, colour, 0);
	svg_point(stream, x_of(frame, (double)frame->moments[0].op), y_of(frame, 0), 1);
	points_draw(stream, frame, value, band, false);
	svg_point(stream, x_of(frame, (double)frame->moments[frame->count - 1].op), y_of(frame, 0),
		  0);
	svg_path_end(stream);
}

static const struct series {
	const char *name;
	const char *colour;
	value_fn *value;
} series[] = {
	{"heap in use", "#f2c9a6", used_of}, /* an area */
	{"largest free block", "#009e73", largest_free_of},
	{"live bytes, as asked for", "#0072b2", live_of},
};
#define SERIES (sizeof(series) / sizeof(*series))

static void level_draw(FILE *stream, const struct frame *frame, size_t size, const char *name)
{
	double y = y_of(frame, (double)size);
	char bytes[SIZE_TEXT_MAX], text[64];

	snprintf(text, sizeof(text), "%s: %s", name, size_print(bytes, size));
	svg_line(stream, LEFT, y, WIDTH - RIGHT, y, "#222222");
	svg_text(stream, WIDTH - RIGHT - 4, y - 4, ANCHOR_END, 11, text);
}

/* ---- bands ---- */

static const char *const band_colours[BANDS_MOST] = {"#ee8866", "#99ddff", "#eedd88", "#ffaabb",
						     "#aa99dd"};
static const char others_colour[] = "#cccccc";

/* Each area lies over the larger ones before it. */
static void bands_draw(FILE *stream, const struct frame *frame)
{
	if (!frame->bands->count)
		return;
	area_draw(stream, frame, others_colour, live_of, 0);
	for (size_t left = frame->bands->count; left; left--)
		area_draw(stream, frame, band_colours[left - 1], band_end_of, left - 1);
}

/* The innermost function that is the program's own: the name of a place. */
static size_t naming_call(const struct place *place)
{
	for (size_t index = 0; index < place->count; index++) {
		const struct source_frame *frame = &place->frames[index];

		if (!frame->library &&
		    (!frame->function || strncmp(frame->function, "operator new", 12) != 0))
			return index;
	}
	return 0;
}

/* How many functions two places have in common, from the innermost on. */
static size_t common_calls(const struct place *one, const struct place *other)
{
	char names[2][LEGEND_TEXT_MAX];
	size_t index = 0;

	for (; index < one->count && index < other->count; index++) {
		frame_name(names[0], sizeof(names[0]), &one->frames[index]);
		frame_name(names[1], sizeof(names[1]), &other->frames[index]);
		if (strcmp(names[0], names[1]) != 0)
			break;
	}
	return index;
}

/* The caller of that; or, if other bands have both, too, the one that tells it from them. */
static size_t telling_call(const struct bands *bands, size_t band)
{
	size_t telling = naming_call(&bands->places->list[band]) + 1;

	for (size_t other = 0; other < bands->count; other++) {
		size_t common =
			common_calls(&bands->places->list[band], &bands->places->list[other]);

		if (other != band && common > telling)
			telling = common;
	}
	return telling;
}

static void entry_draw(FILE *stream, double y, const char *colour, const char *name,
		       const char *detail)
{
	svg_rect(stream, WIDTH, y - 9, 14, 10, colour, 1);
	svg_text(stream, WIDTH + 20, y, ANCHOR_START, 12, name);
	svg_text(stream, WIDTH + 20, y + 14, ANCHOR_START, 10, detail);
}

static void others_entry_draw(FILE *stream, const struct bands *bands, double y)
{
	uint64_t bytes = bands->places->bytes;
	char size[SIZE_TEXT_MAX];

	for (size_t band = 0; band < bands->count; band++)
		bytes -= bands->places->list[band].bytes;
	entry_draw(stream, y, others_colour, "others", size_print(size, bytes));
}

static void band_entry_draw(FILE *stream, const struct bands *bands, size_t band, double y)
{
	const struct place *place = &bands->places->list[band];
	size_t telling = telling_call(bands, band);
	char function[LEGEND_TEXT_MAX], name[LEGEND_TEXT_MAX + 24], size[SIZE_TEXT_MAX],
		caller[LEGEND_TEXT_MAX], detail[LEGEND_TEXT_MAX + SIZE_TEXT_MAX + 8];

	frame_name(function, sizeof(function), &place->frames[naming_call(place)]);
	snprintf(name, sizeof(name), "%zu. %s", band + 1, function);
	snprintf(detail, sizeof(detail), "%s", size_print(size, place->bytes));
	if (telling < place->count) {
		frame_name(caller, sizeof(caller), &place->frames[telling]);
		snprintf(detail, sizeof(detail), "%s, from %s", size, caller);
	}
	entry_draw(stream, y, band_colours[band], name, detail);
}

/* From the top to the bottom, as they lie. */
static void legend_draw(FILE *stream, const struct bands *bands)
{
	double y = TOP + 40;

	if (!bands->count)
		return;
	svg_text(stream, WIDTH, TOP + 6, ANCHOR_START, 12, "live bytes of places, at the peak:");
	others_entry_draw(stream, bands, y);
	for (size_t left = bands->count; left; left--) {
		y += 40;
		band_entry_draw(stream, bands, left - 1, y);
	}
}

/* ---- the whole ---- */

static void series_draw(FILE *stream, const struct frame *frame)
{
	double x = LEFT;

	for (unsigned index = 0; index < SERIES; index++, x += 190) {
		if (index)
			line_draw(stream, frame, series[index].colour, series[index].value);
		svg_rect(stream, x, 40, 14, 6, series[index].colour, 1);
		svg_text(stream, x + 20, 47, ANCHOR_START, 12, series[index].name);
	}
}

void plot_draw(FILE *stream, const struct trace *trace, const struct moment *moments, size_t count,
	       size_t size, size_t smallest, const struct bands *bands)
{
	struct frame frame = {moments, count, bands, (double)trace->op_count, 1.05 * (double)size};
	char title[128];

	snprintf(title, sizeof(title), "The heap of %.64s over time", trace->name);
	svg_begin(stream, bands->count ? WIDTH + LEGEND : WIDTH, HEIGHT, title);
	svg_text(stream, LEFT, 24, ANCHOR_START, 16, title);
	area_draw(stream, &frame, series[0].colour, series[0].value, 0); /* below the grid */
	bands_draw(stream, &frame);
	axes_draw(stream, &frame);
	level_draw(stream, &frame, smallest, "smallest heap that suffices");
	series_draw(stream, &frame);
	legend_draw(stream, bands);
	svg_end(stream);
}
