/* SPDX-License-Identifier: MIT */
/*
 * utf8.c - see utf8.h.
 */
#include "utf8.h"

#include <err.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes that follow a first one, and the least and the most that the second may be. */
struct lead {
	unsigned char from, to, following, least, most;
};

static const struct lead leads[] = {
	{0x01, 0x7f, 0, 0, 0},       {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf},
	{0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf},
	{0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

static const struct lead *lead_of(unsigned char byte)
{
	for (size_t index = 0; index < sizeof(leads) / sizeof(*leads); index++)
		if (byte >= leads[index].from && byte <= leads[index].to)
			return &leads[index];
	return NULL;
}

size_t utf8_length(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	const struct lead *lead = lead_of(bytes[0]);

	if (!lead)
		return 0;
	for (size_t index = 1; index <= lead->following; index++) {
		unsigned least = index == 1 ? lead->least : 0x80,
			 most = index == 1 ? lead->most : 0xbf;

		if (bytes[index] < least || bytes[index] > most)
			return 0;
	}
	return 1 + (size_t)lead->following;
}

/* U+0080 to U+009F are control characters, too. */
static bool is_control(const char *at)
{
	const unsigned char *bytes = (const unsigned char *)at;

	return *bytes < ' ' || *bytes == 0x7f || (*bytes == 0xc2 && bytes[1] < 0xa0);
}

static void clean(char *text, bool has_lines)
{
	for (char *at = text; *at;) {
		size_t length = utf8_length(at);
		bool stays = length && (!is_control(at) ||
					(has_lines && strncmp(at, "\n  ", strlen("\n  ")) == 0));

		length += !length;
		if (!stays)
			memset(at, '?', length);
		at += length;
	}
}

char *utf8_text(char into[UTF8_TEXT_MAX], const char *text)
{
	snprintf(into, UTF8_TEXT_MAX, "%s", text);
	clean(into, false);
	return into;
}

void utf8_clean_lines(char *text)
{
	clean(text, true);
}

struct json_object *utf8_json(const char *text)
{
	char *copy = strdup(text);
	struct json_object *string;

	if (!copy)
		err(1, "%s", text);
	for (char *at = copy; *at;) {
		size_t length = utf8_length(at);

		if (!length)
			*at = '?';
		at += length ? length : 1;
	}
	string = json_object_new_string(copy);
	free(copy);
	return string;
}
