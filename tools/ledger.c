/* SPDX-License-Identifier: MIT */
/*
 * ledger.c - see ledger.h.
 */
#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "settled.h"

/* NULL: none is wanted. On a page of its own, which a process without a record goes without. */
static char *folder;

void ledger_open(const char *path)
{
	void *page;

	if (!path || !*path || strlen(path) >= PATH_MAX)
		return;
	page = mmap(NULL, PATH_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page != MAP_FAILED)
		folder = strcpy(page, path);
}

bool ledger_is_wanted(void)
{
	return folder != NULL;
}

static int ledger_format(char *text, size_t size, const struct bheap_stats *stats, size_t extent,
			 bool ended)
{
	return snprintf(
		text, size,
		"program %.64s\nparent %ld\nended %d\nsize %zu\nused %zu\nfree %zu\n"
		"largest_free %zu\nlive_blocks %zu\nfree_blocks %zu\npeak_used %zu\nextent %zu\n"
		"allocations %" PRIu64 "\nfrees %" PRIu64 "\nfailures %" PRIu64 "\nfaults %" PRIu64
		"\n",
		program_invocation_short_name, (long)getppid(), ended, stats->size, stats->used,
		stats->free, stats->largest_free, stats->live_blocks, stats->free_blocks,
		stats->peak_used, extent, stats->allocations, stats->frees, stats->failures,
		stats->faults);
}

static int ledger_create(const char *ending)
{
	char path[PATH_MAX + 40];

	snprintf(path, sizeof(path), "%s/%ld%s", folder, (long)getpid(), ending);
	return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

/* Whole lines, or those before them only: the reader sees that the last is missing. */
static bool text_write(int fd, const char *text, size_t length)
{
	return write(fd, text, length) == (ssize_t)length;
}

void ledger_write(const struct bheap_stats *stats, size_t extent, bool ended)
{
	char text[640];
	int length, fd, saved = errno;

	if (!ledger_is_wanted())
		return;
	length = ledger_format(text, sizeof(text), stats, extent, ended);
	fd = ledger_create("");
	if (fd >= 0) {
		text_write(fd, text, (size_t)length);
		close(fd);
	}
	errno = saved;
}

/* ---- blocks ---- */

struct lines {
	int fd;                        /* or */
	const struct table_view *view; /* not NULL */
	size_t opened, put;            /* bytes of the area */
	bool failed;
	const char *start;
	size_t length;
	char text[4096];
};

#define LINE_MAX_SIZE 100
#define AREA_STEP ((size_t)1 << 20) /* opened at once; more than the text */

static bool text_put(struct lines *lines)
{
	if (lines->put + lines->length > lines->opened) {
		if (!table_area_open(lines->view, lines->opened, AREA_STEP))
			return false;
		lines->opened += AREA_STEP;
	}
	memcpy(lines->view->area + lines->put, lines->text, lines->length);
	lines->put += lines->length;
	return true;
}

static void lines_flush(struct lines *lines)
{
	bool written =
		!lines->failed &&
		(lines->view ? text_put(lines) : text_write(lines->fd, lines->text, lines->length));

	lines->failed = !written;
	lines->length = 0;
}

static int block_write(const struct bheap_block *block, void *arg)
{
	struct lines *lines = arg;
	size_t offset;

	if (!lines->start)
		lines->start = block->address;
	offset = (size_t)((const char *)block->address - lines->start);
	if (lines->length + LINE_MAX_SIZE > sizeof(lines->text))
		lines_flush(lines);
	lines->length +=
		(size_t)snprintf(lines->text + lines->length, LINE_MAX_SIZE, "%zu %zu %zu %s\n",
				 offset, block->size, block->usable, block->used ? "0 0" : "-");
	return lines->failed;
}

static void blocks_write(struct lines *lines, const bheap_t *heap, const struct bheap_stats *stats)
{
	lines->length =
		(size_t)snprintf(lines->text, sizeof(lines->text),
				 "bheap snapshot 1\nsize %zu\npeak_used %zu\nallocations %" PRIu64
				 "\nfrees %" PRIu64 "\nfailures %" PRIu64 "\nfaults %" PRIu64 "\n",
				 stats->size, stats->peak_used, stats->allocations, stats->frees,
				 stats->failures, stats->faults);
	if (stats->failures)
		lines->length += (size_t)snprintf(
			lines->text + lines->length, sizeof(lines->text) - lines->length,
			"largest_refused %" PRIu64 "\nlast_refused %" PRIu64
			"\nused_at_refusal %" PRIu64 "\n",
			stats->largest_refused, stats->last_refused, stats->used_at_refusal);
	settled_walk(heap, block_write, lines);
	lines_flush(lines);
}

void ledger_write_blocks(const bheap_t *heap, const struct bheap_stats *stats)
{
	struct lines lines = {.fd = ledger_create(".snapshot")};
	int saved = errno;

	if (lines.fd >= 0) {
		blocks_write(&lines, heap, stats);
		close(lines.fd);
	}
	errno = saved;
}

size_t ledger_put_blocks(const bheap_t *heap, const struct bheap_stats *stats,
			 const struct table_view *view)
{
	struct lines lines = {.view = view};
	int saved = errno;

	blocks_write(&lines, heap, stats);
	errno = saved;
	return lines.failed ? 0 : lines.put;
}
