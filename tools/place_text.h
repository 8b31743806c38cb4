/* SPDX-License-Identifier: MIT */
/*
 * place_text.h - the functions that tell a place in a program (places.h), as text and as JSON.
 */
#ifndef TOOLS_PLACE_TEXT_H
#define TOOLS_PLACE_TEXT_H

#include <json-c/json.h>
#include <stdio.h>

#include "places.h"

/* A line each, and one that says that there are more. */
void place_calls_print(FILE *stream, const struct place *place);

struct json_object *place_calls_json(const struct place *place);

#endif
