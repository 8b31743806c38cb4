/* SPDX-License-Identifier: MIT */
/*
 * adapter_duktape.c - runs a JavaScript program in Duktape, which allocates all its memory from one
 * heap. A program that needs more gets an exception. If Duktape itself cannot continue, the heap is
 * destroyed with all its blocks.
 *
 *	cc adapter_duktape.c -o adapter_duktape $(pkg-config --cflags --libs libbheap duktape)
 *	./adapter_duktape -b 256k program.js
 */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"

#include <duktape.h>
#include <setjmp.h>

/* ---- adapter ---- */
struct duk_heap {
	bheap_t *heap;
	bool ready;    /* duk_create_heap() has returned */
	jmp_buf fatal; /* the program continues here without Duktape */
};

static void *duk_heap_realloc(void *arg, void *ptr, duk_size_t size)
{
	struct duk_heap *duk = arg;
	void *block = size ? bheap_realloc(duk->heap, ptr, size) : NULL;

	if (!size)
		bheap_free(duk->heap, ptr);
	else if (!block && !duk->ready)
		longjmp(duk->fatal, 1); /* Duktape 2.7 would recurse forever */
	return block;
}

static void *duk_heap_alloc(void *arg, duk_size_t size)
{
	return duk_heap_realloc(arg, NULL, size);
}

static void duk_heap_free(void *arg, void *ptr)
{
	duk_heap_realloc(arg, ptr, 0);
}

/* Must not return. bheap_destroy() frees all memory of Duktape. */
static void duk_heap_fatal(void *arg, const char *message)
{
	(void)message;
	longjmp(((struct duk_heap *)arg)->fatal, 1);
}
/* ---- end of the adapter ---- */

static duk_ret_t print(duk_context *duk)
{
	puts(duk_safe_to_string(duk, 0));
	return 0;
}

/* In duk_safe_call(), where every error can be caught. */
static duk_ret_t program_run(duk_context *duk, void *arg)
{
	const struct job *job = arg;

	duk_push_c_function(duk, print, 1);
	duk_put_global_string(duk, "print");
	duk_eval_lstring_noresult(duk, job->text, job->length);
	return 0;
}

/*
 * Duktape has no error code for want of memory, but these texts. A program may throw them, too, or
 * catch them: they count only where the heap did refuse.
 */
static bool is_too_large(const struct job *job, const char *error)
{
	struct bheap_stats stats;

	return bheap_stats(job->heap, &stats) == 0 && stats.failures &&
	       (strstr(error, "alloc failed") || strstr(error, "DoubleError"));
}

/* Makes a text of the error at the top, which may fail as the program did. */
static duk_ret_t error_text(duk_context *duk, void *arg)
{
	(void)arg;
	duk_safe_to_string(duk, -1);
	return 1;
}

static int error_tell(const struct job *job, duk_context *duk)
{
	const char *text;

	duk_safe_call(duk, error_text, NULL, 1, 1);
	text = duk_get_string_default(duk, -1, "DoubleError");
	if (is_too_large(job, text))
		return job_too_large(job);
	return strncmp(text, "SyntaxError", 11) == 0 ? job_malformed(job, 0, text)
						     : job_error(job, 0, text);
}

static duk_ret_t next_run(duk_context *duk, void *arg)
{
	(void)arg;
	duk_eval_string_noresult(duk, "for (var i = 0, a = []; i < 100; i++) a.push({});");
	return 0;
}

static void engine_go_on(const struct job *job, duk_context *duk)
{
	duk_set_top(duk, 0);
	duk_gc(duk, 0);
	fprintf(stderr, "%s: the next program in this engine: %s\n", job->program,
		duk_safe_call(duk, next_run, NULL, 0, 1) ? "refused" : "done");
}

static int engine_run(struct job *job, duk_context *duk)
{
	int status = 0;

	if (duk_safe_call(duk, program_run, job, 0, 1))
		status = error_tell(job, duk);
	if (status)
		engine_go_on(job, duk);
	return status;
}

/* What Duktape has is freed with the heap, of which a new one is made. */
static int engine_throw_away(struct job *job)
{
	int status = job_too_large(job);

	fprintf(stderr, "%s: Duktape cannot go on: its heap is destroyed, and a new one made\n",
		job->program);
	bheap_destroy(job->heap);
	job->text = NULL;
	job->heap = job_heap(job);
	return job->heap ? status : job_failed(job, "a new heap");
}

static int job_do(struct job *job)
{
	struct duk_heap arg = {.heap = job->heap};
	duk_context *duk;
	int status;

	if (setjmp(arg.fatal))
		return engine_throw_away(job);
	duk = duk_create_heap(duk_heap_alloc, duk_heap_realloc, duk_heap_free, &arg,
			      duk_heap_fatal);
	if (!duk)
		return job_too_large(job);
	arg.ready = true;
	status = engine_run(job, duk);
	duk_destroy_heap(duk);
	return status;
}

int main(int argc, char **argv)
{
	struct job job = {.program = "adapter_duktape"};
	int status = job_begin(&job, argc, argv);

	if (status)
		return status;
	status = job_read(&job);
	return job_end(&job, status ? status : job_do(&job));
}
