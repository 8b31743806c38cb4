/* SPDX-License-Identifier: MIT */
/*
 * cmd_show.c - "bheap show": the figures, the map and the blocks of a heap, for people or as JSON.
 */
#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command.h"
#include "glance.h"
#include "map_view.h"
#include "output.h"
#include "picture.h"
#include "size_text.h"
#include "utf8.h"

#define COLUMNS 64 /* where it is no terminal */
#define COLUMNS_LEAST 8
#define COLUMNS_MOST 256
#define MARGIN 13 /* columns of the map besides its cells */

struct show {
	const char *path;
	bool is_process;
	struct glance glance; /* if it is */
	const char *svg;
	bool blocks, json, whole;
	bool coloured, plain; /* as asked for; neither: on a terminal */
};

/* Of the free blocks. */
static void cached_print(const struct picture *picture)
{
	char size[SIZE_TEXT_MAX];

	if (picture->cached_blocks)
		printf("  %-14s %s in %" PRIu64 " freed block%s, kept by threads\n", "cached",
		       size_print(size, picture->cached), picture->cached_blocks,
		       plural(picture->cached_blocks));
}

static void figures_print(const struct picture *picture)
{
	const struct bheap_stats *stats = &picture->stats;
	char one[SIZE_TEXT_MAX], other[SIZE_TEXT_MAX], third[SIZE_TEXT_MAX], name[UTF8_TEXT_MAX];

	printf("%s: a heap of %s\n", utf8_text(name, picture->name), size_print(one, stats->size));
	printf("  %-14s %s in %zu block%s, %s at the peak\n", "used", size_print(one, stats->used),
	       stats->live_blocks, plural(stats->live_blocks), size_print(other, stats->peak_used));
	if (picture->count) {
		printf("  %-14s %s in %zu block%s, the largest %s\n", "free",
		       size_print(one, stats->free), stats->free_blocks, plural(stats->free_blocks),
		       size_print(other, stats->largest_free));
		cached_print(picture);
		printf("  %-14s %.1f %%%s\n", "fragmentation", 100 * stats->fragmentation,
		       picture->in_use ? " of the memory in use: no size was given" : "");
	}
	if (stats->limit)
		printf("  %-14s %s may be in use\n", "limit", size_print(one, stats->limit));
	printf("  %-14s %" PRIu64 " allocation%s, %" PRIu64 " free%s, %" PRIu64 " refused\n",
	       "so far", stats->allocations, plural(stats->allocations), stats->frees,
	       plural(stats->frees), stats->failures);
	if (stats->failures)
		printf("  %-14s %s%s\n  %-14s %s, with %s used\n", "refused",
		       size_print_refused(one, stats->largest_refused),
		       stats->largest_refused < SIZE_REFUSED_MOST ? " at most" : "", "last refused",
		       size_print_refused(other, stats->last_refused),
		       size_print(third, stats->used_at_refusal));
	printf("  %-14s %" PRIu64 " fault%s, %" PRIu64 " rebuild%s, %" PRIu64 " %s\n", "troubles",
	       stats->faults, plural(stats->faults), stats->rebuilds, plural(stats->rebuilds),
	       stats->recoveries, stats->recoveries == 1 ? "recovery" : "recoveries");
}

static void blocks_print(const struct picture *picture)
{
	printf("%12s %14s %14s  %-5s %8s\n", "offset", "size", "usable", "state", "owner");
	for (size_t index = 0; index < picture->count; index++) {
		const struct block *block = &picture->blocks[index];
		char owner[16] = "-";

		if (block->owner)
			snprintf(owner, sizeof(owner), "%ld", (long)block->owner);
		printf("%12" PRIx64 " %14" PRIu64 " %14" PRIu64 "  %-5s %8s\n", block->offset,
		       block->size, block->usable, block->used ? "used" : "free", owner);
	}
}

/* ---- JSON ---- */

static void number_add(struct json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

static struct json_object *blocks_json(const struct picture *picture)
{
	struct json_object *array = json_object_new_array();

	for (size_t index = 0; index < picture->count; index++) {
		const struct block *block = &picture->blocks[index];
		struct json_object *object = json_object_new_object();

		number_add(object, "offset", block->offset);
		number_add(object, "size", block->size);
		number_add(object, "usable", block->usable);
		json_object_object_add(object, "used", json_object_new_boolean(block->used));
		if (block->owner)
			number_add(object, "owner", (uint64_t)block->owner);
		json_object_array_add(array, object);
	}
	return array;
}

/* What only blocks tell is null where there are none. */
static void figure_add(struct json_object *object, const struct picture *picture, const char *name,
		       uint64_t number)
{
	json_object_object_add(object, name,
			       picture->count ? json_object_new_uint64(number) : NULL);
}

static void picture_json(const struct show *show, const struct picture *picture)
{
	const struct bheap_stats *stats = &picture->stats;
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "name", utf8_json(picture->name));
	if (show->is_process)
		glance_json(object, &show->glance);
	number_add(object, "size", stats->size);
	number_add(object, "used", stats->used);
	number_add(object, "free", stats->free);
	figure_add(object, picture, "largest_free", stats->largest_free);
	if (show->is_process) {
		figure_add(object, picture, "cached", picture->cached);
		figure_add(object, picture, "cached_blocks", picture->cached_blocks);
	}
	number_add(object, "limit", stats->limit);
	number_add(object, "live_blocks", stats->live_blocks);
	figure_add(object, picture, "free_blocks", stats->free_blocks);
	number_add(object, "peak_used", stats->peak_used);
	figure_add(object, picture, "extent", picture_extent(picture));
	number_add(object, "allocations", stats->allocations);
	number_add(object, "frees", stats->frees);
	number_add(object, "failures", stats->failures);
	number_add(object, "largest_refused", stats->largest_refused);
	number_add(object, "last_refused", stats->last_refused);
	number_add(object, "used_at_refusal", stats->used_at_refusal);
	number_add(object, "faults", stats->faults);
	number_add(object, "rebuilds", stats->rebuilds);
	number_add(object, "recoveries", stats->recoveries);
	json_object_object_add(object, "fragmentation",
			       picture->count ? json_object_new_double(stats->fragmentation)
					      : NULL);
	if (show->blocks)
		json_object_object_add(object, "blocks", blocks_json(picture));
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY));
	json_object_put(object);
}

/* ---- the whole ---- */

/* A power of two of cells in a row, as many as the terminal has room for. */
static unsigned columns_choose(void)
{
	struct winsize window;
	unsigned columns = COLUMNS_LEAST;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) || !window.ws_col)
		return COLUMNS;
	while (columns * 2 + MARGIN <= window.ws_col && columns < COLUMNS_MOST)
		columns *= 2;
	return columns;
}

static bool colours_are_wanted(const struct show *show)
{
	const char *refused = getenv("NO_COLOR");

	if (show->coloured || show->plain)
		return show->coloured;
	return isatty(STDOUT_FILENO) && !(refused && *refused);
}

static bool svg_write(const struct show *show, const struct picture *picture)
{
	struct output output;

	if (!output_open(&output, show->svg))
		return false;
	map_draw(picture, output.stream, show->whole);
	return output_keep(&output);
}

static void picture_print(const struct show *show, const struct picture *picture)
{
	figures_print(picture);
	if (show->is_process)
		glance_print(stdout, &show->glance);
	if (!picture->count)
		return;
	putchar('\n');
	map_print(picture, stdout, columns_choose(), show->whole, colours_are_wanted(show));
	if (show->blocks) {
		putchar('\n');
		blocks_print(picture);
	}
}

/* False after a message. */
static bool picture_take(struct show *show, struct picture *picture)
{
	if (!show->is_process)
		return picture_load(picture, show->path, false);
	if (!glance_take(&show->glance, picture, show->path))
		return false;
	if (!show->glance.unread || !(show->blocks || show->svg))
		return true;
	warnx("%s: its blocks may not be read: %s", show->path, show->glance.unread);
	picture_release(picture);
	return false;
}

static int heap_show(struct show *show)
{
	struct picture picture;
	bool done = true;

	if (!picture_take(show, &picture))
		return STATUS_FAILED;
	if (show->svg)
		done = svg_write(show, &picture);
	if (show->json)
		picture_json(show, &picture);
	else if (!show->svg || strcmp(show->svg, "-") != 0)
		picture_print(show, &picture);
	picture_release(&picture);
	return command_done() == STATUS_OK && done ? STATUS_OK : STATUS_FAILED;
}

static const struct option options[] = {
	{"blocks", no_argument, NULL, 'b'},
	{"svg", required_argument, NULL, 's'},
	{"json", no_argument, NULL, 'j'},
	{"whole", no_argument, NULL, 'w'},
	{"color", required_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool colour_parse(struct show *show, const char *when)
{
	show->coloured = strcmp(when, "always") == 0;
	show->plain = strcmp(when, "never") == 0;
	if (show->coloured || show->plain || strcmp(when, "auto") == 0)
		return true;
	warnx("--color: '%s' is not one of auto, always, never", when);
	return false;
}

static int show_main(int argc, char **argv)
{
	struct show show = {0};
	int option;

	while ((option = getopt_long(argc, argv, "bs:jwh", options, NULL)) != -1) {
		switch (option) {
		case 'b': show.blocks = true; break;
		case 's': show.svg = optarg; break;
		case 'j': show.json = true; break;
		case 'w': show.whole = true; break;
		case 'c':
			if (!colour_parse(&show, optarg))
				return STATUS_USAGE;
			break;
		case 'h': return command_help(&command_show);
		default: return command_misused(&command_show);
		}
	}
	if (optind + 1 != argc) {
		warnx("show: one heap file, shared memory name, snapshot or process is wanted");
		return command_misused(&command_show);
	}
	if (!command_takes_heaps(&command_show, argv + optind))
		return command_misused(&command_show);
	show.path = argv[optind];
	show.is_process = process_is_number(show.path);
	return heap_show(&show);
}

const struct command command_show = {
	.name = "show",
	.summary = "print statistics and a map of a heap, a snapshot or a process",
	.usage =
		"[OPTION]... FILE\n"
		"  or:  bheap show [OPTION]... PID\n"
		"Prints statistics and a map of the heap in FILE, a heap file, a shared memory\n"
		"object (\"/name\") or a snapshot; or of the heap of process PID, which runs under\n"
		"'bheap run' or with libbheap-malloc.so. (A file named 123 is written ./123.)\n\n"
		"  -b, --blocks       list every block, too\n"
		"  -s, --svg=FILE     draw the map into FILE\n"
		"  -w, --whole        map the whole heap, not only up to its last used block\n"
		"  -j, --json         print the statistics (and with --blocks the blocks) as JSON\n"
		"      --color=WHEN   use colours: auto, always or never\n"
		"  -h, --help         print this text\n",
	.run = show_main,
};
