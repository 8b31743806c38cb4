/* SPDX-License-Identifier: MIT */
/*
 * adapter_sqlite.c - runs SQL on a database in memory. SQLite allocates all its memory from one
 * heap. A statement that needs more fails with SQLITE_NOMEM; the connection is then used again.
 *
 *	cc adapter_sqlite.c -o adapter_sqlite $(pkg-config --cflags --libs libbheap sqlite3)
 *	./adapter_sqlite -b 256k orders.sql
 */
#define _POSIX_C_SOURCE 200809L

#include "adapter.h"

#include <sqlite3.h>

/* ---- adapter ---- */
static bheap_t *sqlite_heap; /* with a lock, if threads use SQLite */

static int sqlite_heap_roundup(int size)
{
	return (size + BHEAP_ALIGNMENT - 1) & -BHEAP_ALIGNMENT;
}

/* Requests the rounded size: SQLite may use all bytes of the block. */
static void *sqlite_heap_realloc(void *ptr, int size)
{
	return bheap_realloc(sqlite_heap, ptr, (size_t)sqlite_heap_roundup(size));
}

static void *sqlite_heap_malloc(int size)
{
	return sqlite_heap_realloc(NULL, size);
}

static void sqlite_heap_free(void *ptr)
{
	bheap_free(sqlite_heap, ptr);
}

static int sqlite_heap_size(void *ptr)
{
	return (int)bheap_usable_size(sqlite_heap, ptr);
}

static int sqlite_heap_init(void *heap)
{
	sqlite_heap = heap;
	return SQLITE_OK;
}

static void sqlite_heap_shutdown(void *heap)
{
	(void)heap;
}

/* Call before all else of SQLite, or after sqlite3_shutdown(). */
static int sqlite_heap_use(bheap_t *heap)
{
	return sqlite3_config(SQLITE_CONFIG_MALLOC,
			      &(sqlite3_mem_methods){sqlite_heap_malloc, sqlite_heap_free,
						     sqlite_heap_realloc, sqlite_heap_size,
						     sqlite_heap_roundup, sqlite_heap_init,
						     sqlite_heap_shutdown, heap});
}
/* ---- end of the adapter ---- */

/*
 * Lookaside would take 48 kB for each connection. Above the soft limit SQLite reuses pages of its
 * cache; without one the cache grows until the heap refuses.
 */
static int sqlite_begin(const struct job *job)
{
	int result = sqlite_heap_use(job->heap);

	if (result == SQLITE_OK)
		result = sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
	if (result == SQLITE_OK)
		result = sqlite3_initialize();
	if (result == SQLITE_OK)
		sqlite3_soft_heap_limit64((sqlite3_int64)(job->budget - job->budget / 4));
	return result;
}

/* One of the two says that there was no memory; the second in a read or write of a file. */
static bool is_too_large(int result)
{
	return result == SQLITE_NOMEM || result == SQLITE_IOERR_NOMEM;
}

static void row_print(sqlite3_stmt *statement)
{
	for (int column = 0; column < sqlite3_column_count(statement); column++) {
		const unsigned char *text = sqlite3_column_text(statement, column);

		printf("%s%s", column ? "|" : "", text ? (const char *)text : "");
	}
	putchar('\n');
}

/* SQLite's extended result of a statement. */
static int statement_step(sqlite3_stmt *statement)
{
	int result;

	while ((result = sqlite3_step(statement)) == SQLITE_ROW)
		row_print(statement);
	return result == SQLITE_DONE ? SQLITE_OK
				     : sqlite3_extended_errcode(sqlite3_db_handle(statement));
}

/*
 * Runs the first statement of a text and moves on to the next, or to what is wrong in it. The
 * extended result.
 */
static int statement_run(sqlite3 *database, const char **text)
{
	sqlite3_stmt *statement = NULL;
	const char *next = *text;
	int result = sqlite3_prepare_v2(database, *text, -1, &statement, &next);

	if (result != SQLITE_OK) {
		int offset = sqlite3_error_offset(database);

		*text += offset > 0 ? (size_t)offset : 0;
		return sqlite3_extended_errcode(database);
	}
	result = statement ? statement_step(statement) : SQLITE_OK;
	if (result == SQLITE_OK)
		*text = next;
	sqlite3_finalize(statement);
	return result;
}

/* A statement that failed was rolled back; of a transaction the rest is, too. */
static void database_go_on(const struct job *job, sqlite3 *database)
{
	int result;

	if (!sqlite3_get_autocommit(database))
		sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_db_release_memory(database);
	result = sqlite3_exec(database, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
	fprintf(stderr, "%s: the next statement of this connection: %s\n", job->program,
		result == SQLITE_OK ? "done" : sqlite3_errmsg(database));
}

static int error_tell(const struct job *job, sqlite3 *database, int result, const char *place)
{
	size_t line = job_line_of(job, place + strspn(place, " \t\n"));

	if (is_too_large(result))
		return job_too_large(job);
	return result == SQLITE_ERROR ? job_malformed(job, line, sqlite3_errmsg(database))
				      : job_error(job, line, sqlite3_errmsg(database));
}

static int database_run(const struct job *job, sqlite3 *database)
{
	const char *text = job->text;
	int result = SQLITE_OK, status;

	while (result == SQLITE_OK && *text)
		result = statement_run(database, &text);
	if (result == SQLITE_OK && text < job->text + job->length)
		return job_malformed(job, job_line_of(job, text), "a NUL, where SQLite stops");
	if (result == SQLITE_OK)
		return 0;
	status = error_tell(job, database, result, text);
	database_go_on(job, database);
	return status;
}

/* SQLite gives a connection also where it fails, if there is memory for one. */
static int job_do(const struct job *job)
{
	sqlite3 *database = NULL;
	int result = sqlite_begin(job), status;

	if (result == SQLITE_OK)
		result = sqlite3_open(":memory:", &database);
	if (result == SQLITE_OK)
		status = database_run(job, database);
	else
		status = is_too_large(result) ? job_too_large(job)
					      : job_error(job, 0, sqlite3_errstr(result));
	sqlite3_close(database);
	sqlite3_shutdown();
	return status;
}

int main(int argc, char **argv)
{
	struct job job = {.program = "adapter_sqlite"};
	int status = job_begin(&job, argc, argv);

	if (status)
		return status;
	status = job_read(&job);
	return job_end(&job, status ? status : job_do(&job));
}
