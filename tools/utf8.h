/* SPDX-License-Identifier: MIT */
/*
 * utf8.h - names of files and programs are bytes; what JSON and XML hold is UTF-8, and what
 * a terminal shows has no control characters.
 */
#ifndef TOOLS_UTF8_H
#define TOOLS_UTF8_H

#include <stddef.h>

struct json_object;

/* The length of the first character; 0 where its first byte begins none. */
size_t utf8_length(const char *text);

/*
 * For a terminal: the text, cut where it is longer than there is room for, with a '?' for each
 * control character and each byte that is no part of a character. Returns into.
 */
#define UTF8_TEXT_MAX 4096
char *utf8_text(char into[UTF8_TEXT_MAX], const char *text);

/* As utf8_text() does, in place; a line that goes on in an indented one stays two. */
void utf8_clean_lines(char *text);

/* The text with a '?' for each byte that is no part of a character. */
struct json_object *utf8_json(const char *text);

#endif
