/* SPDX-License-Identifier: MIT */
/*
 * adapter_cjson.c - prints a JSON document, which cJSON parses in a heap of its own. The hooks of
 * cJSON have no context argument: heap_scope.h keeps the current heap of each thread.
 *
 *	cc adapter_cjson.c -o adapter_cjson $(pkg-config --cflags --libs libbheap libcjson)
 *	./adapter_cjson -b 64k orders.json
 */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"
#include "heap_scope.h"

#include <cJSON.h>

/* ---- adapter ---- */
/* Call once, before any thread uses cJSON. Allocations need a scope. */
static void cjson_heap_init(void)
{
	cJSON_InitHooks(&(cJSON_Hooks){heap_scope_alloc, heap_scope_free});
}

/* On NULL: too large if heap_scope->refused, else malformed at *end. */
static cJSON *cjson_heap_parse(const char *text, size_t length, const char **end)
{
	heap_scope->refused = 0;
	return cJSON_ParseWithLengthOpts(text, length, end, true);
}
/* ---- end of the adapter ---- */

static int document_print(const struct job *job, const cJSON *document)
{
	char *text = cJSON_Print(document);

	if (!text)
		return job_too_large(job);
	puts(text);
	cJSON_free(text);
	return 0;
}

/* With the NUL after the text, which ends the document. */
static int document_process(const struct job *job)
{
	const char *end = job->text;
	cJSON *document = cjson_heap_parse(job->text, job->length + 1, &end);
	int status;

	if (!document)
		return heap_scope->refused ? job_too_large(job)
					   : job_malformed(job, job_line_of(job, end), "no JSON");
	status = document_print(job, document);
	cJSON_Delete(document);
	return status;
}

/* What cJSON had of the document it has freed. */
static void heap_go_on(const struct job *job)
{
	static const char text[] = "{\"next\": [1, 2, 3]}";
	const char *end;
	cJSON *document = cjson_heap_parse(text, sizeof(text), &end);

	fprintf(stderr, "%s: the next document in this heap: %s\n", job->program,
		document ? "done" : "refused");
	cJSON_Delete(document);
}

static int job_do(const struct job *job)
{
	struct heap_scope scope;
	int status;

	cjson_heap_init();
	heap_scope_enter(&scope, job->heap);
	status = document_process(job);
	if (status)
		heap_go_on(job);
	heap_scope_leave();
	return status;
}

int main(int argc, char **argv)
{
	struct job job = {.program = "adapter_cjson"};
	int status = job_begin(&job, argc, argv);

	if (status)
		return status;
	status = job_read(&job);
	return job_end(&job, status ? status : job_do(&job));
}
