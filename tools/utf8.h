/* SPDX-License-Identifier: MIT */
/*
 * utf8.h - names of files and programs are bytes; what JSON and XML hold is UTF-8.
 */
#ifndef TOOLS_UTF8_H
#define TOOLS_UTF8_H

#include <stddef.h>

struct json_object;

/* The length of the first character; 0 where its first byte begins none. */
size_t utf8_length(const char *text);

/* The text with a '?' for each byte that is no part of a character. */
struct json_object *utf8_json(const char *text);

#endif
