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
#include <unistd.h>

static char folder[PATH_MAX];

void ledger_open(const char *path)
{
	if (path && strlen(path) < sizeof(folder))
		strcpy(folder, path);
}

bool ledger_is_wanted(void)
{
	return folder[0] != '\0';
}

static int ledger_format(char *text, size_t size, const struct bheap_stats *stats, size_t extent,
			 bool ended)
{
	return snprintf(text, size,
			"program %.64s\nparent %ld\nended %d\nsize %zu\nused %zu\nfree %zu\n"
			"largest_free %zu\nlive_blocks %zu\nfree_blocks %zu\npeak_used %zu\nextent %zu\n"
			"allocations %" PRIu64 "\nfrees %" PRIu64 "\nfailures %" PRIu64
			"\nfaults %" PRIu64 "\n",
			program_invocation_short_name, (long)getppid(), ended, stats->size, stats->used,
			stats->free, stats->largest_free, stats->live_blocks, stats->free_blocks,
			stats->peak_used, extent, stats->allocations, stats->frees,
			stats->failures, stats->faults);
}

void ledger_write(const struct bheap_stats *stats, size_t extent, bool ended)
{
	char path[PATH_MAX + 24], text[640];
	int length, fd, saved = errno;

	if (!ledger_is_wanted())
		return;
	snprintf(path, sizeof(path), "%s/%ld", folder, (long)getpid());
	length = ledger_format(text, sizeof(text), stats, extent, ended);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0) {
		if (write(fd, text, (size_t)length) != length)
			unlink(path); /* half a record would be taken for a whole one */
		close(fd);
	}
	errno = saved;
}
