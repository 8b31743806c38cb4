/* SPDX-License-Identifier: MIT */
/*
 * place_text.c - see place_text.h.
 */
#include "place_text.h"

#include "frame_text.h"
#include "utf8.h"

void place_calls_print(FILE *stream, const struct place *place)
{
	for (size_t index = 0; index < place->count; index++)
		frame_print(stream, &place->frames[index]);
	if (place->deeper)
		frame_print(stream, &(struct source_frame){.function = "..."});
}

static void text_add(struct json_object *object, const char *name, const char *text)
{
	if (text)
		json_object_object_add(object, name, utf8_json(text));
}

static struct json_object *frame_json(const struct source_frame *frame)
{
	struct json_object *object = json_object_new_object();

	text_add(object, "function", frame->function);
	text_add(object, "file", frame->file);
	if (frame->line)
		json_object_object_add(object, "line", json_object_new_int(frame->line));
	if (frame->inlined)
		json_object_object_add(object, "inlined", json_object_new_boolean(true));
	text_add(object, "module", frame->module);
	if (!frame->function)
		json_object_object_add(object, "offset", json_object_new_uint64(frame->offset));
	return object;
}

struct json_object *place_calls_json(const struct place *place)
{
	struct json_object *calls = json_object_new_array();

	for (size_t index = 0; index < place->count; index++)
		json_object_array_add(calls, frame_json(&place->frames[index]));
	return calls;
}
