/* SPDX-License-Identifier: MIT */
/*
 * frame_text.c - see frame_text.h. Names are bytes from a program's file: what would control a
 * terminal is not printed.
 */
#include "frame_text.h"

#include <inttypes.h>
#include <string.h>

#include "utf8.h"

#define INDENT 5
#define NAME_WIDTH 38
#define PLACE_WIDTH 34 /* of the file and line */
#define LINE_WIDTH (NAME_WIDTH + 2 + PLACE_WIDTH)
#define TEXT_MOST 4096

static void clean_copy(char *into, size_t size, const char *text)
{
	char clean[UTF8_TEXT_MAX];

	snprintf(into, size, "%s", utf8_text(clean, text));
}

static bool is_inside_character(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Takes out of a text what makes it longer than so many bytes, behind the first keep of them. */
static void cut(char *text, size_t width, size_t keep)
{
	size_t length = strlen(text), from;

	if (length <= width)
		return;
	from = length - (width - keep - 3);
	while (is_inside_character(text[from]))
		from++;
	while (keep && is_inside_character(text[keep]))
		keep--;
	memmove(text + keep + 3, text + from, length - from + 1);
	memcpy(text + keep, "...", 3);
}

static bool is_operator(const char *text, const char *place)
{
	while (place > text && (place[-1] == '<' || place[-1] == '('))
		place--;
	return place - text >= 8 && strncmp(place - 8, "operator", 8) == 0;
}

/* Where the bracket that is opened here is closed, or NULL. */
static char *bracket_end(char *open, char closing)
{
	char opening = *open;
	unsigned depth = 0;

	for (char *place = open; *place; place++) {
		if (*place == opening)
			depth++;
		else if (*place == closing && place[-1] != '-' && --depth == 0)
			return place;
	}
	return NULL;
}

/* "map<int, char>(int)" becomes "map<int, char>(...)", or "map<...>(int)". */
static void brackets_empty(char *text, char opening, char closing)
{
	for (char *open = text; (open = strchr(open, opening)); open++) {
		char *end = is_operator(text, open) ? NULL : bracket_end(open, closing);

		if (!end || end - open < 5 || strncmp(open, "(anonymous", 10) == 0)
			continue;
		memcpy(open + 1, "...", 3);
		memmove(open + 4, end, strlen(end) + 1);
	}
}

/* C++ names are clear without what they have in brackets. */
static void name_cut(char *text, size_t width)
{
	if (strlen(text) > width)
		brackets_empty(text, '(', ')');
	if (strlen(text) > width)
		brackets_empty(text, '<', '>');
	cut(text, width, width / 2);
}

/* Up to the next folder, if one begins in what is left. */
static void path_cut(char *text, size_t width)
{
	size_t length = strlen(text);
	const char *slash;

	if (length <= width)
		return;
	slash = strchr(text + length - (width - 3), '/');
	cut(text, slash ? strlen(slash) + 3 : width, 0);
}

static void place_text(char *text, size_t size, const struct source_frame *frame)
{
	char whole[TEXT_MOST] = "";

	if (frame->line)
		snprintf(whole, sizeof(whole), "%s:%d", frame->file, frame->line);
	else if (frame->module && frame->function)
		snprintf(whole, sizeof(whole), "%s", frame->module);
	else if (frame->module)
		snprintf(whole, sizeof(whole), "%s+0x%" PRIx64, frame->module, frame->offset);
	else if (!frame->function)
		snprintf(whole, sizeof(whole), "0x%" PRIx64, frame->offset);
	clean_copy(text, size, whole);
}

void frame_print(FILE *stream, const struct source_frame *frame)
{
	char name[TEXT_MOST], place[TEXT_MOST];
	size_t width = NAME_WIDTH, mark = frame->inlined ? strlen(" (inlined)") : 0;

	place_text(place, sizeof(place), frame);
	path_cut(place, PLACE_WIDTH);
	if (LINE_WIDTH - 2 - strlen(place) > width)
		width = LINE_WIDTH - 2 - strlen(place);
	clean_copy(name, sizeof(name) - mark, frame->function ? frame->function : "?");
	name_cut(name, width - mark);
	if (mark)
		strcat(name, " (inlined)");
	if (*place)
		fprintf(stream, "%*s%-*s  %s\n", INDENT, "", NAME_WIDTH, name, place);
	else
		fprintf(stream, "%*s%s\n", INDENT, "", name);
}

/* The name, or else module and offset. */
static void name_text(char *text, size_t size, const struct source_frame *frame)
{
	if (frame->function)
		clean_copy(text, size, frame->function);
	else
		place_text(
			text, size,
			&(struct source_frame){.module = frame->module, .offset = frame->offset});
}

void frame_name(char *text, size_t size, const struct source_frame *frame)
{
	char name[TEXT_MOST];

	name_text(name, sizeof(name), frame);
	name_cut(name, size - 1);
	snprintf(text, size, "%s", name);
}

void frame_fold(FILE *stream, const struct source_frame *frame)
{
	char text[TEXT_MOST];

	name_text(text, sizeof(text), frame);
	for (char *byte = text; *byte; byte++)
		if (*byte == ';')
			*byte = ':';
	fputs(text, stream);
}
