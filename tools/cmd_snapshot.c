/* SPDX-License-Identifier: MIT */
/*
 * cmd_snapshot.c - "bheap snapshot": a heap's blocks written down, and what changed between two.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "command.h"
#include "output.h"
#include "picture.h"
#include "size_text.h"

/* As diff(1) has it. */
enum comparison { COMPARE_SAME, COMPARE_DIFFERENT, COMPARE_TROUBLE };

static int snapshot_take(const char *path, const char *file)
{
	struct picture picture;
	struct output output;
	bool kept = false;

	if (!picture_load(&picture, path, true))
		return STATUS_FAILED;
	if (output_open(&output, file ? file : "-")) {
		picture_write(&picture, output.stream);
		kept = output_keep(&output);
	}
	picture_release(&picture);
	return kept ? STATUS_OK : STATUS_FAILED;
}

/* ---- comparison ---- */

struct tally {
	size_t count;
	uint64_t bytes;
};

struct difference {
	struct tally made, gone, resized, changed;
	bool quiet;       /* only the totals */
	bool blocks_only; /* no statistics */
};

static void difference_note(const struct difference *difference, struct tally *tally, char mark,
			    const struct block *block, const char *what)
{
	tally->count++;
	tally->bytes += block->size;
	if (!difference->quiet)
		printf("%c %12" PRIx64 " %14" PRIu64 "  %s\n", mark, block->offset, block->size,
		       what);
}

/* One block at the same place in both. */
static void blocks_compare(struct difference *difference, const struct block *before,
			   const struct block *after)
{
	char what[64];

	if (before->size != after->size) {
		snprintf(what, sizeof(what), "resized from %" PRIu64, before->size);
		difference_note(difference, &difference->resized, '~', after, what);
	} else if (before->checksum != after->checksum) {
		difference_note(difference, &difference->changed, '*', after, "other content");
	} else if (before->owner != after->owner) {
		difference_note(difference, &difference->changed, '*', after, "another owner");
	}
}

static size_t next_used(const struct picture *picture, size_t index)
{
	while (index < picture->count && !picture->blocks[index].used)
		index++;
	return index;
}

static void pictures_compare(struct difference *difference, const struct picture *before,
			     const struct picture *after)
{
	size_t old = next_used(before, 0), new = next_used(after, 0);

	while (old < before->count || new < after->count) {
		const struct block *gone = old < before->count ? &before->blocks[old] : NULL;
		const struct block *made = new < after->count ? &after->blocks[new] : NULL;

		if (!made || (gone && gone->offset < made->offset)) {
			difference_note(difference, &difference->gone, '-', gone, "freed");
			old = next_used(before, old + 1);
		} else if (!gone || made->offset < gone->offset) {
			difference_note(difference, &difference->made, '+', made, "allocated");
			new = next_used(after, new + 1);
		} else {
			blocks_compare(difference, gone, made);
			old = next_used(before, old + 1);
			new = next_used(after, new + 1);
		}
	}
}

/* True if it differs. */
static bool figure_print(const char *name, uint64_t before, uint64_t after)
{
	printf("%-14s %14" PRIu64 " %14" PRIu64 " %+14" PRId64 "\n", name, before, after,
	       (int64_t)(after - before));
	return before != after;
}

static void tally_print(const char *name, const struct tally *tally)
{
	if (tally->count)
		printf("%zu block%s %s (%" PRIu64 " bytes)\n", tally->count, plural(tally->count),
		       name, tally->bytes);
}

/* True if one of them differs. */
static bool figures_print(const struct bheap_stats *before, const struct bheap_stats *after)
{
	bool differs = false;

	printf("%-14s %14s %14s %14s\n", "", "before", "after", "change");
	differs |= figure_print("size", before->size, after->size);
	differs |= figure_print("used", before->used, after->used);
	differs |= figure_print("live blocks", before->live_blocks, after->live_blocks);
	differs |= figure_print("free blocks", before->free_blocks, after->free_blocks);
	differs |= figure_print("largest free", before->largest_free, after->largest_free);
	differs |= figure_print("peak used", before->peak_used, after->peak_used);
	differs |= figure_print("allocations", before->allocations, after->allocations);
	differs |= figure_print("frees", before->frees, after->frees);
	differs |= figure_print("refused", before->failures, after->failures);
	differs |= figure_print("most refused", before->largest_refused, after->largest_refused);
	return differs;
}

static enum comparison difference_print(const struct difference *difference,
					const struct bheap_stats *before,
					const struct bheap_stats *after)
{
	bool differs = difference->made.count || difference->gone.count ||
		       difference->resized.count || difference->changed.count;

	tally_print("allocated", &difference->made);
	tally_print("freed", &difference->gone);
	tally_print("resized", &difference->resized);
	tally_print("with other content or owner", &difference->changed);
	if (!difference->blocks_only)
		differs |= figures_print(before, after);
	return differs ? COMPARE_DIFFERENT : COMPARE_SAME;
}

static int snapshots_compare(struct difference *difference, const char *old, const char *new)
{
	struct picture before, after;
	enum comparison result;

	if (!picture_load(&before, old, true))
		return COMPARE_TROUBLE;
	if (!picture_load(&after, new, true)) {
		picture_release(&before);
		return COMPARE_TROUBLE;
	}
	pictures_compare(difference, &before, &after);
	result = difference_print(difference, &before.stats, &after.stats);
	picture_release(&before);
	picture_release(&after);
	return (int)(command_done() ? COMPARE_TROUBLE : result);
}

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'}, {"compare", no_argument, NULL, 'c'},
	{"quiet", no_argument, NULL, 'q'},        {"blocks", no_argument, NULL, 'b'},
	{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static int snapshot_main(int argc, char **argv)
{
	const char *file = NULL;
	struct difference difference = {.quiet = false};
	bool compare = false;
	int option;

	while ((option = getopt_long(argc, argv, "o:cqbh", options, NULL)) != -1) {
		switch (option) {
		case 'o': file = optarg; break;
		case 'c': compare = true; break;
		case 'q': difference.quiet = true; break;
		case 'b': difference.blocks_only = true; break;
		case 'h': return command_help(&command_snapshot);
		default: return command_misused(&command_snapshot);
		}
	}
	if ((difference.quiet || difference.blocks_only) && !compare) {
		warnx("snapshot: --%s goes with --compare", difference.quiet ? "quiet" : "blocks");
		return command_misused(&command_snapshot);
	}
	if (argc - optind != (compare ? 2 : 1) || (compare && file)) {
		warnx(compare ? "snapshot: --compare takes two heaps or snapshots, and no --output"
			      : "snapshot: of which heap?");
		return command_misused(&command_snapshot);
	}
	if (!command_takes_heaps(&command_snapshot, argv + optind))
		return command_misused(&command_snapshot);
	return compare ? snapshots_compare(&difference, argv[optind], argv[optind + 1])
		       : snapshot_take(argv[optind], file);
}

const struct command command_snapshot = {
	.name = "snapshot",
	.summary = "list the blocks of a heap in a file, or compare two heaps or lists",
	.usage = "[-o FILE] HEAP\n"
		 "  or:  bheap snapshot --compare [-bq] BEFORE AFTER\n"
		 "Writes a list of the blocks of HEAP, a heap file or shared memory object; or\n"
		 "prints the differences between two heaps or snapshots. With --compare the exit\n"
		 "status is 1 if there are any, in blocks or in statistics such as the peak.\n\n"
		 "  -o, --output=FILE  write to FILE, not to standard output\n"
		 "  -c, --compare      compare two heaps or snapshots\n"
		 "  -b, --blocks       compare only the blocks, not the statistics\n"
		 "  -q, --quiet        print only the totals, not each block\n"
		 "  -h, --help         print this text\n",
	.run = snapshot_main,
};
