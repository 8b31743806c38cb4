/* SPDX-License-Identifier: MIT */
/*
 * adapter_lua.c - runs a Lua 5.4 script in a state that lies in a heap of its own. If the script
 * needs more memory, Lua raises an error. The program catches it and uses the state again.
 *
 *	cc adapter_lua.c -o adapter_lua $(pkg-config --cflags --libs libbheap lua5.4)
 *	./adapter_lua -b 64k script.lua
 *	./adapter_lua -b 64M -t trace script.lua && bheap size -t trace
 */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

/* ---- adapter ---- */
/* For lua_newstate(lua_heap_alloc, heap). */
static void *lua_heap_alloc(void *heap, void *ptr, size_t old_size, size_t size)
{
	(void)old_size; /* if ptr is NULL: a type, not a size */
	if (size)
		return bheap_realloc(heap, ptr, size); /* smaller: never fails */
	bheap_free(heap, ptr);
	return NULL;
}
/* ---- end of the adapter ---- */

/* ---- recorder ---- */
struct lua_heap_trace {
	bheap_t *heap;
	FILE *file; /* for bheap size --trace */
};

/* For lua_newstate(lua_heap_record, &trace): writes each request. */
static void *lua_heap_record(void *arg, void *ptr, size_t old_size, size_t size)
{
	const struct lua_heap_trace *trace = arg;
	uint64_t before = bheap_offset(trace->heap, ptr) / BHEAP_ALIGNMENT;
	void *block = lua_heap_alloc(trace->heap, ptr, old_size, size);
	uint64_t after = bheap_offset(trace->heap, block) / BHEAP_ALIGNMENT;

	if (block && before == after)
		fprintf(trace->file, "r %" PRIu64 " %zu\n", after, size);
	if (block && before != after)
		fprintf(trace->file, "a %" PRIu64 " %zu\n", after, size);
	if (before && before != after && (block || !size))
		fprintf(trace->file, "f %" PRIu64 "\n", before);
	return block;
}
/* ---- end of the recorder ---- */

/* Called by lua_pcall(): outside of it an error would end the program. */
static int libraries_open(lua_State *state)
{
	luaL_openlibs(state);
	return 0;
}

/* Lua's status. "t": no compiled code, which Lua does not verify. */
static int script_run(lua_State *state, const char *text, size_t length, const char *name)
{
	int status = luaL_loadbufferx(state, text, length, name, "t");

	return status == LUA_OK ? lua_pcall(state, 0, 0, 0) : status;
}

static int job_run(const struct job *job, lua_State *state)
{
	int status;

	lua_pushcfunction(state, libraries_open);
	status = lua_pcall(state, 0, 0, 0);
	return status == LUA_OK ? script_run(state, job->text, job->length, "=line") : status;
}

/* The message; lua_tostring() of anything but a string could want memory, here outside lua_pcall().
 */
static const char *message_of(lua_State *state)
{
	return lua_type(state, -1) == LUA_TSTRING ? lua_tostring(state, -1) : "an error value";
}

/* After an error: what the script held by local variables is garbage, and the state is sound. */
static void state_go_on(const struct job *job, lua_State *state)
{
	static const char text[] = "local t = {} for i = 1, 100 do t[i] = {} end";
	int status;

	lua_settop(state, 0);
	lua_gc(state, LUA_GCCOLLECT);
	status = script_run(state, text, sizeof(text) - 1, "=next");
	fprintf(stderr, "%s: the next script in this state: %s\n", job->program,
		status == LUA_OK ? "done" : message_of(state));
}

/* Lua begins its messages with the name of the script, for which "line" is given, and the line. */
static int error_tell(const struct job *job, lua_State *state, int result)
{
	const char *message = message_of(state);
	size_t line = 0;
	int text = 0;

	if (result == LUA_ERRMEM)
		return job_too_large(job);
	if (sscanf(message, "line:%zu: %n", &line, &text) != 1)
		text = 0;
	return result == LUA_ERRSYNTAX ? job_malformed(job, line, message + text)
				       : job_error(job, line, message + text);
}

static int state_use(const struct job *job, lua_State *state)
{
	int result, status;

	if (!state)
		return job_too_large(job);
	result = job_run(job, state);
	status = result == LUA_OK ? 0 : error_tell(job, state, result);
	if (status)
		state_go_on(job, state);
	lua_close(state);
	return status;
}

static int job_do(const struct job *job)
{
	struct lua_heap_trace trace = {.heap = job->heap};
	int status;

	if (!job->trace)
		return state_use(job, lua_newstate(lua_heap_alloc, job->heap));
	trace.file = fopen(job->trace, "w");
	if (!trace.file)
		return job_failed(job, job->trace);
	status = state_use(job, lua_newstate(lua_heap_record, &trace));
	return fclose(trace.file) ? job_failed(job, job->trace) : status;
}

int main(int argc, char **argv)
{
	struct job job = {.program = "adapter_lua", .traces = true};
	int status = job_begin(&job, argc, argv);

	if (status)
		return status;
	status = job_read(&job);
	return job_end(&job, status ? status : job_do(&job));
}
