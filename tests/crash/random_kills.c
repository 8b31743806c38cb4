/* SPDX-License-Identifier: MIT */
/*
 * random_kills.c - eight processes work on one heap while they are killed at random, one or all at
 * once, for as many seconds as are asked for. No process may hang, no block that was whole may be
 * torn, and what is lost is counted: nothing with slots, at most a block a kill without, and
 * nothing either once the blocks of the dead are reclaimed.
 */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bheap.h"

#define WORKERS 8
#define ENTRIES 24
#define HEAP_SIZE ((size_t)64 * 1024 * 1024)
#define LIFETIME_MAX 12000 /* microseconds */
#define KILL_ALL_ONE_IN 64
#define TIME_LIMIT 10 /* seconds without one operation: they hang */

enum mode { SLOTS, PLAIN, OWNED, MODES };

static const char *const mode_names[] = {"slots", "plain", "owned"};

/* A block of a worker: where, and once it is filled, how large and with what. */
struct entry {
	uint64_t block;
	uint32_t size; /* 0: not whole */
	uint32_t seed;
};

/* Lies in the heap, under its root. */
struct table {
	struct entry entries[WORKERS][ENTRIES];
};

/* Lies beside the heap. */
struct board {
	uint64_t operations;
	int bad;
	char text[200];
};

static struct {
	enum mode mode;
	int fd;
	struct board *board;
	pid_t workers[WORKERS];
	unsigned kills;
} run;

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % limit;
}

/* ---- what is found bad ---- */

static void complain(const char *text, unsigned long long detail)
{
	if (!__atomic_exchange_n(&run.board->bad, 1, __ATOMIC_SEQ_CST))
		snprintf(run.board->text, sizeof(run.board->text), "%s (%#llx)", text, detail);
}

static void fault_hear(const struct bheap_fault *fault, void *arg)
{
	(void)arg;
	if (fault->kind != BHEAP_FAULT_RECOVERED)
		complain(fault->text, 0);
}

static unsigned char content_byte(const struct entry *entry, size_t index)
{
	return (unsigned char)(entry->seed + index * 7);
}

static void entry_fill(struct entry *entry, unsigned char *bytes, uint32_t size)
{
	entry->seed = random_below(1u << 30);
	for (uint32_t index = 0; index < size; index++)
		bytes[index] = content_byte(entry, index);
	__atomic_store_n(&entry->size, size, __ATOMIC_RELEASE);
}

static void entry_verify(const bheap_t *heap, const struct entry *entry)
{
	const unsigned char *bytes = bheap_pointer(heap, entry->block);

	if (!entry->size)
		return;
	if (!bheap_owns(heap, bytes) || bheap_usable_size(heap, bytes) < entry->size) {
		complain("a whole block is not in the heap", entry->block);
		return;
	}
	for (uint32_t index = 0; index < entry->size; index++)
		if (bytes[index] != content_byte(entry, index)) {
			complain("the content of a block is torn", entry->block);
			return;
		}
}

/* ---- a worker ---- */

/* From now on no process takes the block for whole, should this process die. */
static void entry_open(struct entry *entry)
{
	__atomic_store_n(&entry->size, 0, __ATOMIC_SEQ_CST);
}

/* Out of the table: from here to its new place it is lost if this process dies. */
static void *entry_take(const bheap_t *heap, struct entry *entry)
{
	void *block = bheap_pointer(heap, entry->block);

	__atomic_store_n(&entry->block, 0, __ATOMIC_SEQ_CST);
	return block;
}

static void entry_put(const bheap_t *heap, struct entry *entry, void *block, uint32_t size)
{
	if (!block)
		return;
	__atomic_store_n(&entry->block, bheap_offset(heap, block), __ATOMIC_SEQ_CST);
	entry_fill(entry, block, size);
}

static void work_with_slot(bheap_t *heap, struct entry *entry, uint32_t size)
{
	void *block;

	if (entry->block) {
		entry_open(entry);
		if (bheap_free_from(heap, &entry->block))
			complain("bheap_free_from failed", entry->block);
		return;
	}
	block = bheap_alloc_into(heap, &entry->block, size);
	if (block)
		entry_fill(entry, block, size);
}

static void *block_make(bheap_t *heap, uint32_t size)
{
	switch (random_below(3)) {
	case 0: return bheap_aligned_alloc(heap, (size_t)32 << random_below(6), size);
	case 1: return bheap_calloc(heap, 1, size);
	default: return bheap_alloc(heap, size);
	}
}

static void work_plainly(bheap_t *heap, struct entry *entry, uint32_t size)
{
	void *block;

	if (!entry->block) {
		entry_put(heap, entry, block_make(heap, size), size);
		return;
	}
	entry_open(entry);
	block = entry_take(heap, entry);
	if (random_below(2))
		entry_put(heap, entry, bheap_realloc(heap, block, size), size);
	else if (bheap_free(heap, block))
		complain("bheap_free failed", 0);
}

/* Most blocks are small: the time goes to the heap and not to their content. */
static uint32_t size_choose(void)
{
	return 1 + random_below(16u << random_below(8));
}

/* kill -9 at a moment that the kernel's clock chooses. */
static void death_arrange(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	struct itimerspec when = {.it_value.tv_nsec = 1 + (long)random_below(LIFETIME_MAX * 1000)};
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &when, NULL))
		complain("no timer", (unsigned)errno);
}

static void worker_serve(unsigned number)
{
	bheap_t *heap;
	struct entry *entries;

	death_arrange();
	bheap_set_fault_handler(NULL, fault_hear, NULL);
	heap = bheap_open_fd(run.fd, 0, 0);
	if (!heap) {
		complain("a worker cannot attach", (unsigned)errno);
		_exit(1);
	}
	entries = ((struct table *)bheap_root(heap))->entries[number];
	if (run.mode == OWNED) {
		/* What its predecessor had has no owner now. */
		memset(entries, 0, ENTRIES * sizeof(*entries));
		if (bheap_reclaim(heap) < 0)
			complain("bheap_reclaim failed", (unsigned)errno);
	}
	for (unsigned index = 0; index < ENTRIES; index++)
		entry_verify(heap, &entries[index]);
	for (;;) {
		struct entry *entry = &entries[random_below(ENTRIES)];
		uint32_t size = size_choose();

		entry_verify(heap, entry);
		(run.mode == SLOTS ? work_with_slot : work_plainly)(heap, entry, size);
		__atomic_fetch_add(&run.board->operations, 1, __ATOMIC_RELAXED);
	}
}

static void worker_start(unsigned number)
{
	uint32_t seed = random_below(1u << 30) + 1;
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		random_state = seed;
		worker_serve(number);
	}
	run.workers[number] = pid;
}

/* ---- the random kills ---- */

static void death_note(unsigned number, int status)
{
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		complain("a worker died of itself", (unsigned)status);
	run.workers[number] = 0;
	run.kills++;
}

static void all_kill(void)
{
	int status;

	for (unsigned number = 0; number < WORKERS; number++)
		if (run.workers[number])
			kill(run.workers[number], SIGKILL);
	for (unsigned number = 0; number < WORKERS; number++)
		if (run.workers[number] && waitpid(run.workers[number], &status, 0) > 0)
			death_note(number, status);
}

/* Waits for a death, for a while. */
static void one_bury(void)
{
	static const struct timespec while_ = {.tv_sec = 1};
	sigset_t child;
	int status;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pid = waitpid(-1, &status, WNOHANG);
	if (!pid && sigtimedwait(&child, NULL, &while_) >= 0)
		pid = waitpid(-1, &status, WNOHANG);
	for (unsigned number = 0; pid > 0 && number < WORKERS; number++)
		if (run.workers[number] == pid)
			death_note(number, status);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Whether operations go on; they may take a while on a busy machine. */
static void progress_watch(uint64_t *seen, double *when)
{
	uint64_t operations = __atomic_load_n(&run.board->operations, __ATOMIC_RELAXED);

	if (operations != *seen) {
		*seen = operations;
		*when = now();
	} else if (now() - *when > TIME_LIMIT) {
		complain("no process gets on: they hang", operations);
	}
}

static void storm_rage(double seconds)
{
	double end = now() + seconds, when = now();
	uint64_t seen = 0;

	while (now() < end && !run.board->bad) {
		for (unsigned number = 0; number < WORKERS; number++)
			if (!run.workers[number])
				worker_start(number);
		if (random_below(KILL_ALL_ONE_IN))
			one_bury();
		else
			all_kill();
		progress_watch(&seen, &when);
	}
	all_kill();
}

/* ---- before and after ---- */

static void storm_prepare(enum mode mode)
{
	static const unsigned flags[] = {0, 0, BHEAP_OWNED | BHEAP_GUARD};
	struct table *table;
	bheap_t *heap;

	run.mode = mode;
	run.kills = 0;
	memset(run.board, 0, sizeof(*run.board));
	if (ftruncate(run.fd, 0))
		err(1, "ftruncate");
	heap = bheap_open_fd(run.fd, HEAP_SIZE, flags[mode]);
	table = heap ? bheap_calloc(heap, 1, sizeof(*table)) : NULL;
	if (!table || bheap_set_root(heap, table) || bheap_close(heap))
		err(1, "the heap");
}

struct census {
	bheap_t *heap;
	const struct table *table;
	unsigned unknown;
};

static bool entry_holds(const struct table *table, uint64_t offset)
{
	for (unsigned number = 0; number < WORKERS; number++)
		for (unsigned index = 0; index < ENTRIES; index++)
			if (table->entries[number][index].block == offset)
				return true;
	return false;
}

static int block_count(const struct bheap_block *block, void *arg)
{
	struct census *census = arg;

	census->unknown += block->used && block->address != census->table &&
			   !entry_holds(census->table, bheap_offset(census->heap, block->address));
	return 0;
}

static unsigned storm_judge(bheap_t *heap)
{
	const struct table *table = bheap_root(heap);
	struct census census = {heap, table, 0};
	struct bheap_fault fault;

	if (bheap_check(heap, &fault))
		complain(fault.text, 0);
	/* With owners the last workers may have reclaimed what those before them left. */
	for (unsigned number = 0; number < WORKERS && run.mode != OWNED; number++)
		for (unsigned index = 0; index < ENTRIES; index++)
			entry_verify(heap, &table->entries[number][index]);
	bheap_walk(heap, block_count, &census);
	/* With owners a worker forgets all that its predecessor had, before it reclaims it. */
	if (run.mode != OWNED && census.unknown > (run.mode == SLOTS ? 0 : run.kills))
		complain("more blocks are lost than may be", census.unknown);
	return census.unknown;
}

/* All workers are dead: but for the table, whose maker is not, nothing may be left. */
static void owned_judge(bheap_t *heap)
{
	struct bheap_stats stats;

	if (bheap_reclaim(heap) < 0 || bheap_stats(heap, &stats) || stats.live_blocks != 1)
		complain("blocks of the dead are left", stats.live_blocks);
	if (bheap_check(heap, NULL))
		complain("the heap is bad after bheap_reclaim()", 0);
}

static bool storm_pass(enum mode mode, double seconds)
{
	struct bheap_stats stats = {0};
	unsigned lost = 0;
	bheap_t *heap;

	storm_prepare(mode);
	storm_rage(seconds);
	heap = bheap_open_fd(run.fd, 0, 0);
	if (heap) {
		bheap_stats(heap, &stats);
		lost = storm_judge(heap);
		if (mode == OWNED)
			owned_judge(heap);
		bheap_close(heap);
	} else {
		complain("the heap cannot be opened", (unsigned)errno);
	}
	if (run.board->bad)
		printf("# %s\n", run.board->text);
	printf("%sok %d - random kills, %s: %u kills, %llu recoveries, %llu operations, %u blocks lost%s\n",
	       run.board->bad ? "not " : "", mode + 1, mode_names[mode], run.kills,
	       (unsigned long long)stats.recoveries, (unsigned long long)run.board->operations,
	       lost, mode == OWNED ? " until reclaimed" : "");
	fflush(stdout);
	return !run.board->bad;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
	bool good = true;

	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	bheap_set_fault_handler(NULL, fault_hear, NULL);
	random_state = (uint32_t)time(NULL) | 1;
	printf("# seed %u\n1..%d\n", random_state, MODES);
	run.fd = memfd_create("random_kills", MFD_CLOEXEC);
	run.board = mmap(NULL, sizeof(*run.board), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run.fd < 0 || run.board == MAP_FAILED)
		err(1, "memory");
	for (int mode = SLOTS; mode < MODES; mode++)
		good &= storm_pass((enum mode)mode, seconds / MODES);
	return good ? 0 : 1;
}
