/* SPDX-License-Identifier: MIT */
/*
 * steps.c - how many instructions single calls of libbheap take: mean and maximum on traces, by the
 * number of blocks, by the size of the heap, and where an adversary has prepared the heap.
 */
#include <bheap.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/memory.h"
#include "random.h"
#include "stepper.h"
#include "synthetic.h"

static const char help[] =
	"Usage: steps [OPTION]... [TRACE]...\n"
	"Counts the instructions of single bheap_alloc(), bheap_free() and bheap_realloc() calls by\n"
	"stepping through them: on made-up traces and those named, for 100 to 1000000 blocks, for heaps\n"
	"of 64 KiB to 64 GiB, and in heaps prepared to be hard. Prints mean and maximum.\n"
	"\n"
	"  -g, --guard       heaps with BHEAP_GUARD\n"
	"  -l, --locked      heaps with the default lock (default: BHEAP_UNLOCKED)\n"
	"  -r, --realtime    heaps with BHEAP_REALTIME\n"
	"  -n, --samples=N   calls to step through in each case, about (default 200; stepping is slow:\n"
	"                    2 to 30 microseconds an instruction, the more in virtual machines)\n"
	"  -h, --help        this text\n"
	"\n"
	"Exit status: 0 done, 1 a scenario failed, 2 usage or a bad trace.\n";

/* The work of a child. */
struct scenario {
	char name[64];
	unsigned flags;
	uint32_t samples; /* calls to step through, about */
	const struct trace *trace;
	size_t block_count;
	size_t heap_size;
	bool full; /* nothing is free but blocks that are too small */
};

/* ---- in the child --------------------------------------------------------------------------- */

__attribute__((noreturn)) static void child_fail(const char *what)
{
	perror(what);
	_Exit(1);
}

static void *block_check(void *block)
{
	if (block == NULL)
		child_fail("no block");
	return block;
}

static void *alloc_stepped(bheap_t *heap, size_t size)
{
	stepper_begin();
	void *block = bheap_alloc(heap, size);
	stepper_end(TRACE_ALLOC);
	return block;
}

static void free_stepped(bheap_t *heap, void *block)
{
	stepper_begin();
	int result = bheap_free(heap, block);
	stepper_end(TRACE_FREE);
	if (result != 0)
		child_fail("bheap_free");
}

static void *resize_stepped(bheap_t *heap, void *block, size_t size)
{
	stepper_begin();
	block = bheap_realloc(heap, block, size);
	stepper_end(TRACE_RESIZE);
	return block;
}

static bheap_t *heap_create(const struct scenario *scenario, size_t size)
{
	bheap_t *heap = bheap_create(size, scenario->flags);
	if (heap == NULL)
		child_fail("bheap_create");
	/* The first calls may have to find the functions first. */
	void *block = block_check(bheap_alloc(heap, 1));
	block = block_check(bheap_realloc(heap, block, 2));
	bheap_free(heap, block);
	return heap;
}

static void *op_run(bheap_t *heap, const struct trace_op *op, void *block, bool stepped)
{
	switch ((enum trace_kind)op->kind) {
	case TRACE_ALLOC:
		return block_check(stepped ? alloc_stepped(heap, op->size)
					   : bheap_alloc(heap, op->size));
	case TRACE_ALIGNED:
		return block_check(
			bheap_aligned_alloc(heap, (size_t)1 << op->alignment_log2, op->size));
	case TRACE_RESIZE:
		return block_check(stepped ? resize_stepped(heap, block, op->size)
					   : bheap_realloc(heap, block, op->size));
	case TRACE_FREE: break;
	}
	if (stepped)
		free_stepped(heap, block);
	else
		bheap_free(heap, block);
	return NULL;
}

/* A random sample of the operations of a trace. */
static void trace_work(void *arg)
{
	const struct scenario *scenario = arg;
	const struct trace *trace = scenario->trace;
	bheap_t *heap = heap_create(scenario, trace->peak_size * 4 + (1 << 20));
	void **blocks = memory_zero(trace->slot_count, sizeof(*blocks));
	uint32_t stride = (uint32_t)(trace->op_count / scenario->samples) + 1;
	uint64_t random = 1;

	for (size_t i = 0; i < trace->op_count; i++) {
		const struct trace_op *op = &trace->ops[i];
		bool stepped = random_below(&random, stride) == 0;
		blocks[op->slot] = op_run(heap, op, blocks[op->slot], stepped);
	}
}

/*
 * Frees the two neighbours of a random block, steps through the free of the block itself, which
 * merges three, and through an allocation of the same size.
 */
static void churn_step(bheap_t *heap, void **blocks, const size_t *sizes, uint32_t count,
		       uint64_t *random)
{
	uint32_t middle = 1 + random_below(random, count - 2);
	bheap_free(heap, blocks[middle - 1]);
	bheap_free(heap, blocks[middle + 1]);
	free_stepped(heap, blocks[middle]);
	blocks[middle] = block_check(alloc_stepped(heap, sizes[middle]));
	blocks[middle - 1] = block_check(bheap_alloc(heap, sizes[middle - 1]));
	blocks[middle + 1] = block_check(bheap_alloc(heap, sizes[middle + 1]));
}

static void churn(bheap_t *heap, void **blocks, const size_t *sizes, uint32_t count,
		  uint32_t samples)
{
	uint64_t random = 2;
	for (uint32_t i = 0; i < samples / 2; i++)
		churn_step(heap, blocks, sizes, count, &random);
}

/* Small blocks, many or few, every other one freed again in random order; churn among the rest. */
static void count_work(void *arg)
{
	const struct scenario *scenario = arg;
	uint32_t count = (uint32_t)scenario->block_count * 2;
	bheap_t *heap = heap_create(scenario, (size_t)count * 512 + (1 << 20));
	void **blocks = memory_zero(count, sizeof(*blocks));
	size_t *sizes = memory_zero(count, sizeof(*sizes));
	uint64_t random = 3;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		sizes[i] = random_size(&random, 16, 1024);
		blocks[i] = block_check(bheap_alloc(heap, sizes[i]));
	}
	for (uint32_t i = 0; i < count; i++) {
		if (random_below(&random, 2) == 0) {
			bheap_free(heap, blocks[i]);
			continue;
		}
		sizes[kept] = sizes[i];
		blocks[kept++] = blocks[i];
	}
	churn(heap, blocks, sizes, kept, scenario->samples);
}

/* Blocks of a 128th of the heap with two small ones between each: neighbours are far apart. */
static void size_work(void *arg)
{
	enum { LARGE = 64, COUNT = LARGE * 3 };
	const struct scenario *scenario = arg;
	bheap_t *heap = heap_create(scenario, scenario->heap_size);
	void *blocks[COUNT];
	size_t sizes[COUNT];
	uint64_t random = 4;

	for (uint32_t i = 0; i < COUNT; i++) {
		sizes[i] = i % 3 == 0 ? scenario->heap_size / 128 : random_size(&random, 16, 128);
		blocks[i] = block_check(bheap_alloc(heap, sizes[i]));
	}
	churn(heap, blocks, sizes, COUNT, scenario->samples);
}

/* Blocks of all sizes from 16 bytes to 16 MiB side by side in the largest heap. */
static void mixed_work(void *arg)
{
	enum { COUNT = 2000 };
	const struct scenario *scenario = arg;
	bheap_t *heap = heap_create(scenario, (size_t)BHEAP_SIZE_MAX);
	void *blocks[COUNT];
	size_t sizes[COUNT];
	uint64_t random = 5;

	for (uint32_t i = 0; i < COUNT; i++) {
		sizes[i] = random_size(&random, 16, 16 << 20);
		blocks[i] = block_check(bheap_alloc(heap, sizes[i]));
	}
	for (uint32_t i = 0; i < scenario->samples / 2; i++) {
		sizes[random_below(&random, COUNT)] = random_size(&random, 16, 16 << 20);
		churn_step(heap, blocks, sizes, COUNT, &random);
	}
}

/* Takes all that is free and not above size. */
static void heap_fill(bheap_t *heap, size_t size)
{
	for (; size >= BHEAP_ALIGNMENT; size /= 2)
		while (bheap_alloc(heap, size) != NULL)
			continue;
}

/*
 * A thousand free blocks in the size class of the request, each of them too small for it. When the
 * heap is full beside them, the request is refused, and that is what is counted.
 */
static void misfit_work(void *arg)
{
	enum { MISFITS = 1000, MISFIT_SIZE = 64 << 10, REQUEST_SIZE = MISFIT_SIZE + 1024 };
	const struct scenario *scenario = arg;
	bheap_t *heap = heap_create(scenario, (size_t)MISFITS * MISFIT_SIZE + (4 << 20));
	void *misfits[MISFITS];

	for (int i = 0; i < MISFITS; i++) {
		misfits[i] = block_check(bheap_alloc(heap, MISFIT_SIZE));
		block_check(bheap_alloc(heap, 16));
	}
	if (scenario->full)
		heap_fill(heap, MISFIT_SIZE / 2);
	for (int i = 0; i < MISFITS; i++)
		bheap_free(heap, misfits[i]);
	for (int i = 0; i < 20; i++) {
		void *block = alloc_stepped(heap, REQUEST_SIZE);
		if ((block == NULL) != scenario->full)
			child_fail("misfits");
		if (block != NULL)
			free_stepped(heap, block);
	}
}

/* ---- in the parent -------------------------------------------------------------------------- */

static int failures;

static void count_print(const struct call_count *count)
{
	if (count->calls == 0)
		printf("  %6s %6s", "-", "-");
	else
		printf("  %6.1f %6zu", (double)count->total / (double)count->calls, count->largest);
}

static void scenario_run(void (*work)(void *arg), struct scenario *scenario)
{
	struct call_count counts[STEPPER_KINDS];
	if (stepper_run(work, scenario, counts) != 0) {
		printf("%-34s failed\n", scenario->name);
		failures++;
		return;
	}
	printf("%-34s", scenario->name);
	count_print(&counts[TRACE_ALLOC]);
	count_print(&counts[TRACE_FREE]);
	count_print(&counts[TRACE_RESIZE]);
	putchar('\n');
	fflush(stdout);
}

static void traces_run(struct scenario scenario, const struct trace *traces, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		scenario.trace = &traces[i];
		snprintf(scenario.name, sizeof(scenario.name), "%.30s", traces[i].name);
		scenario_run(trace_work, &scenario);
	}
}

static void counts_run(struct scenario scenario)
{
	for (size_t count = 100; count <= 1000000; count *= 10) {
		scenario.block_count = count;
		snprintf(scenario.name, sizeof(scenario.name), "%zu blocks", count);
		scenario_run(count_work, &scenario);
	}
}

static void sizes_run(struct scenario scenario)
{
	static const struct {
		const char *name;
		uint64_t size;
	} sizes[] = {
		{"64 KiB", 64 << 10}, {"1 MiB", 1 << 20},           {"64 MiB", 64 << 20},
		{"1 GiB", 1 << 30},   {"8 GiB", UINT64_C(8) << 30}, {"64 GiB", BHEAP_SIZE_MAX},
	};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		scenario.heap_size = (size_t)sizes[i].size;
		snprintf(scenario.name, sizeof(scenario.name), "heap of %s", sizes[i].name);
		scenario_run(size_work, &scenario);
	}
}

static void named_run(struct scenario scenario, const char *name, void (*work)(void *arg))
{
	snprintf(scenario.name, sizeof(scenario.name), "%s", name);
	scenario_run(work, &scenario);
}

static void adversary_run(struct scenario scenario)
{
	named_run(scenario, "all sizes, merging both sides", mixed_work);
	named_run(scenario, "1000 misfits in the class", misfit_work);
	scenario.full = true;
	named_run(scenario, "the same, refused (whole class)", misfit_work);
	scenario.flags |= BHEAP_REALTIME;
	named_run(scenario, "the same, refused, BHEAP_REALTIME", misfit_work);
}

static uint32_t samples_parse(const char *text)
{
	char *end;
	unsigned long samples = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || samples < 10 || samples > 1000000) {
		fprintf(stderr, "steps: --samples takes a number from 10 to 1000000, not '%s'\n",
			text);
		exit(2);
	}
	return (uint32_t)samples;
}

static struct scenario options_parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"guard", no_argument, NULL, 'g'},    {"locked", no_argument, NULL, 'l'},
		{"realtime", no_argument, NULL, 'r'}, {"samples", required_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},     {NULL, 0, NULL, 0},
	};
	struct scenario base = {.flags = BHEAP_UNLOCKED, .samples = 200};
	int option;

	while ((option = getopt_long(argc, argv, "glrn:h", longs, NULL)) != -1) {
		switch (option) {
		case 'g': base.flags |= BHEAP_GUARD; break;
		case 'l': base.flags &= ~(unsigned)BHEAP_UNLOCKED; break;
		case 'r': base.flags |= BHEAP_REALTIME; break;
		case 'n': base.samples = samples_parse(optarg); break;
		case 'h': fputs(help, stdout); exit(0);
		default: fputs("Try 'steps --help'.\n", stderr); exit(2);
		}
	}
	return base;
}

int main(int argc, char **argv)
{
	struct scenario base = options_parse(argc, argv);
	size_t named = (size_t)(argc - optind);
	struct trace *traces = memory_zero(named + SYNTHETIC_COUNT, sizeof(*traces));

	for (size_t i = 0; i < named; i++)
		if (trace_load(&traces[i], argv[optind + (int)i]) != 0)
			return 2;
	for (size_t i = 0; i < SYNTHETIC_COUNT; i++)
		synthetic_make(&traces[named + i], i);

	printf("Instructions of a call, %s%s\n",
	       base.flags & BHEAP_UNLOCKED ? "BHEAP_UNLOCKED" : "default lock",
	       base.flags & BHEAP_REALTIME ? ", BHEAP_REALTIME" : "");
	printf("%-34s%15s%15s%15s\n", "mean and maximum", "bheap_alloc", "bheap_free",
	       "bheap_realloc");
	traces_run(base, traces, named + SYNTHETIC_COUNT);
	counts_run(base);
	sizes_run(base);
	adversary_run(base);
	return failures > 0;
}
