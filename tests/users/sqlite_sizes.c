/* SPDX-License-Identifier: MIT */
/*
 * sqlite_sizes.c - the sizes that examples/adapter_sqlite.c tells SQLite: each block is as large as
 * xRoundup says, xSize says the same, and all of it may be used, in guarded heaps, too. What SQLite
 * counts is what the heap counts.
 */
int example_main(int argc, char **argv);
#define main example_main
#include "../../examples/adapter_sqlite.c"
#undef main

#include "adapter.inc"

static int check(bool good, const char *what, int size)
{
	if (!good)
		fprintf(stderr, "%s, %d bytes\n", what, size);
	return !good;
}

/* All that xSize tells is written to; then the block grows, and shrinks. */
static int block_check(int size)
{
	int rounded = sqlite_heap_roundup(size), bad;
	void *block = sqlite_heap_malloc(size);

	bad = check(rounded >= size && rounded % 8 == 0, "xRoundup", size);
	bad |= check(sqlite_heap_size(block) == rounded, "xSize after xMalloc", size);
	memset(block, 0xa5, (size_t)sqlite_heap_size(block));
	block = sqlite_heap_realloc(block, 2 * size);
	bad |= check(sqlite_heap_size(block) == sqlite_heap_roundup(2 * size), "xSize, grown",
		     size);
	memset(block, 0xa5, (size_t)sqlite_heap_size(block));
	block = sqlite_heap_realloc(block, size);
	bad |= check(sqlite_heap_size(block) == rounded, "xSize, shrunk", size);
	memset(block, 0xa5, (size_t)sqlite_heap_size(block));
	sqlite_heap_free(block);
	return bad;
}

static int sizes_check(unsigned flags)
{
	bheap_t *heap = bheap_create((size_t)1 << 20, flags);
	int bad = 0;

	bheap_set_fault_handler(heap, fault_count, NULL);
	sqlite_heap_init(heap);
	for (int size = 1; size < 100000; size += size < 300 ? 1 : 997)
		bad |= block_check(size);
	bad |= check(bheap_check(heap, NULL) == 0, "the heap is damaged", 0);
	bheap_destroy(heap);
	return bad;
}

static int counts_check(bheap_t *heap)
{
	struct bheap_stats stats;

	bheap_stats(heap, &stats);
	return check(sqlite3_memory_used() == (sqlite3_int64)stats.used, "sqlite3_memory_used()",
		     (int)stats.used);
}

/* In a guarded heap SQLite writes to no byte that is not its own. */
static int database_check(unsigned flags)
{
	bheap_t *heap = bheap_create((size_t)8 << 20, flags);
	sqlite3 *database = NULL;
	int bad;

	bheap_set_fault_handler(heap, fault_count, NULL);
	bad = check(sqlite_heap_use(heap) == SQLITE_OK && sqlite3_initialize() == SQLITE_OK, "use",
		    0);
	bad |= check(sqlite_heap_use(heap) == SQLITE_MISUSE, "use after sqlite3_initialize()", 0);
	sqlite3_open(":memory:", &database);
	sqlite3_exec(
		database,
		"CREATE TABLE t(a PRIMARY KEY, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
		"SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t SELECT i, hex(i) || printf("
		"'%*s', i, '') FROM n; SELECT group_concat(b) FROM t; DELETE FROM t WHERE a % 3;",
		NULL, NULL, NULL);
	bad |= check(sqlite3_errcode(database) == SQLITE_OK, sqlite3_errmsg(database), 0);
	bad |= flags & BHEAP_GUARD ? 0 : counts_check(heap);
	sqlite3_close(database);
	sqlite3_shutdown();
	bad |= check(bheap_check(heap, NULL) == 0, "the heap is damaged", 0);
	bheap_destroy(heap);
	return bad;
}

int main(void)
{
	int bad = sizes_check(0) | sizes_check(BHEAP_GUARD);

	bad |= database_check(0) | database_check(BHEAP_GUARD);
	return bad | check(faults == 0, "faults", (int)faults);
}
