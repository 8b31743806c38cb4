/* SPDX-License-Identifier: MIT */
/*
 * tally_text.h - a tally for people and as JSON.
 */
#ifndef TOOLS_TALLY_TEXT_H
#define TOOLS_TALLY_TEXT_H

#include <json-c/json.h>
#include <stdio.h>

#include "tally.h"

/* Both tables: calls and bytes of each function, and requests of each size. */
void tally_print(FILE *stream, const struct tally *tally);

void tally_json(struct json_object *object, const struct tally *tally);

#endif
