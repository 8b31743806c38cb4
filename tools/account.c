/* SPDX-License-Identifier: MIT */
/*
 * account.c - see account.h. What is noted while the program runs costs a few loads and stores: the
 * counters that the heap keeps anyway. Only at the end, and at the first refusal, all blocks are
 * walked for the rest. The child of a fork(2) counts from the fork on, but for its live blocks.
 */
#include "account.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "api/cached.h"
#include "budget.h"
#include "execution.h"
#include "growth.h"
#include "ledger.h"
#include "setting.h"
#include "settled.h"
#include "table.h"

_Static_assert(ACCOUNT_FIGURES <= TABLE_FIGURES, "a slot has room for the figures");

#define EXPORT __attribute__((visibility("default")))
/* How long an end waits for a thread that is inside, in nanoseconds. */
#define PATIENCE 50000000

/* The program's own exits, which glibc's exit() does not call. */
EXPORT void _exit(int status) __attribute__((noreturn));
EXPORT void _Exit(int status) __attribute__((noreturn));

static struct table_view view;
static struct table_slot *slot;          /* of this process, or NULL */
static const char *file_mark;            /* when budget.fresh passes it, the file is written anew */
static uint64_t before[ACCOUNT_FIGURES]; /* counted by the parent before the fork */
static char *generation;                 /* 0 in the child of a fork */
static bool with_blocks, has_ended;
static pid_t owner; /* this process: the child of a vfork(2) is another */

/* ---- a slot ---- */

static void figure_set(enum account_figure figure, uint64_t value)
{
	slot->figures[figure] = value - before[figure];
}

/* What blocks have reached; with guards there is a canary behind the last. */
static size_t extent(void)
{
	size_t reached = (size_t)(budget.fresh - budget.start);

	return reached && budget.guarded ? reached + BHEAP_ALIGNMENT : reached;
}

/* Bytes in use, and what all processes have together: more than that at this one's peak. */
static void total_update(uint64_t used, uint64_t peak)
{
	struct table *table = view.table;
	int64_t change = (int64_t)(used - slot->figures[ACCOUNT_COUNTED]);
	int64_t total = __atomic_add_fetch(&table->used, change, __ATOMIC_RELAXED);
	uint64_t most = (uint64_t)total + (peak > used ? peak - used : 0);
	uint64_t seen = __atomic_load_n(&table->peak, __ATOMIC_RELAXED);

	slot->figures[ACCOUNT_COUNTED] = used;
	while (total > 0 && most > seen &&
	       !__atomic_compare_exchange_n(&table->peak, &seen, most, true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

static struct bh_cached_count cached_now(void)
{
	return budget.cached ? bh_cached_counted(budget.heap) : (struct bh_cached_count){0};
}

/* The peak counts in the sum where it is new: else it may have been long ago. */
static void slot_note(void)
{
	const struct bh_control *control = budget.heap->core.control;
	const struct bh_cached_count cached = cached_now();
	uint64_t used = bh_bytes(control->used - cached.granules);
	uint64_t peak = bh_bytes(control->peak);

	total_update(used, peak > slot->figures[ACCOUNT_PEAK_USED] ? peak : used);
	figure_set(ACCOUNT_SIZE, bh_handle_size(budget.heap));
	figure_set(ACCOUNT_USED, used);
	figure_set(ACCOUNT_PEAK_USED, peak);
	figure_set(ACCOUNT_LIVE_BLOCKS, control->allocations - control->frees - cached.blocks);
	figure_set(ACCOUNT_EXTENT, extent());
	figure_set(ACCOUNT_ALLOCATIONS, control->allocations + cached.calls);
	figure_set(ACCOUNT_FREES, control->frees + cached.calls + cached.blocks);
	figure_set(ACCOUNT_FAILURES, control->failures);
	figure_set(ACCOUNT_FAULTS, control->faults + budget.faults);
	figure_set(ACCOUNT_LARGEST_REFUSED, bh_bytes(bh_handle_refusals(budget.heap)->largest));
	figure_set(ACCOUNT_WALKED, 0);
}

struct free_blocks {
	size_t count, largest;
	uint64_t largest_hole; /* below what was never used */
};

static int free_count(const struct bheap_block *block, void *arg)
{
	struct free_blocks *all = arg;
	const char *start = block->address, *end = start + block->size;

	if (block->used)
		return 0;
	all->count++;
	if (all->largest < block->size)
		all->largest = block->size;
	if (end > budget.fresh)
		end = budget.fresh;
	if (start < end && all->largest_hole < (uint64_t)(end - start))
		all->largest_hole = (uint64_t)(end - start);
	return 0;
}

static void slot_complete(const struct bheap_stats *stats, uint64_t largest_hole)
{
	figure_set(ACCOUNT_USED, stats->used);
	figure_set(ACCOUNT_ALLOCATIONS, stats->allocations);
	figure_set(ACCOUNT_LIVE_BLOCKS, stats->live_blocks);
	figure_set(ACCOUNT_FREES, stats->frees);
	figure_set(ACCOUNT_LARGEST_FREE, stats->largest_free);
	figure_set(ACCOUNT_LARGEST_HOLE, largest_hole);
	figure_set(ACCOUNT_FREE_BLOCKS, stats->free_blocks);
	figure_set(ACCOUNT_WALKED, 1);
}

static void slot_end(void)
{
	total_update(0, 0);
	table_state_set(slot, TABLE_ENDED);
}

/*
 * A forked child that executes a program tells nothing that the two others do not: unless its heap
 * grew.
 */
static int slot_tells_nothing(struct table *table, struct table_slot *other)
{
	int64_t counted = (int64_t)other->figures[ACCOUNT_COUNTED];

	__atomic_sub_fetch(&table->used, counted, __ATOMIC_RELAXED);
	other->figures[ACCOUNT_COUNTED] = 0;
	return other->origin && other->figures[ACCOUNT_PEAK_USED] <= (uint64_t)counted;
}

/* ---- while it runs ---- */

void account_open(void)
{
	owner = getpid();
	with_blocks = setting_is_on("BHEAP_MALLOC_SNAPSHOT", false);
	ledger_open(setting_find("BHEAP_MALLOC_REPORT"));
	table_attach(&view, setting_find("BHEAP_MALLOC_TABLE"));
	if (view.table) {
		slot = table_claim(&view, NULL, slot_tells_nothing);
		execution_open(&view, "BHEAP_MALLOC_TABLE");
	}
	if (slot)
		generation = table_generation();
}

bool account_is_wanted(void)
{
	return slot || ledger_is_wanted();
}

static void file_note(struct bheap_stats *stats)
{
	size_t growth;

	bheap_stats(budget.heap, stats);
	stats->faults += budget.faults;
	ledger_write(stats, extent(), has_ended);
	growth = stats->used / 4;
	file_mark = budget.fresh + (growth > ACCOUNT_GROWTH ? growth : ACCOUNT_GROWTH);
}

/* The child of a fork that called no handlers. */
static void fork_notice(void)
{
	if (generation && !*generation)
		account_fork();
}

void account_fault(void)
{
	if (slot && !has_ended && (!generation || *generation))
		slot->figures[ACCOUNT_FAULTS]++;
}

/* To write is a cancellation point; malloc() and free() are none, and keep errno. */
void account_note(void)
{
	int saved = errno, state;
	struct bheap_stats stats;

	fork_notice();
	if (slot && !has_ended)
		slot_note();
	if (ledger_is_wanted() && budget.fresh > file_mark) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
		file_note(&stats);
		pthread_setcancelstate(state, &state);
	}
	budget.mark = budget.fresh + ACCOUNT_GROWTH;
	errno = saved;
}

/* ---- the end ---- */

/* The figures with all that only a walk finds. */
static void account_complete(struct bheap_stats *stats, struct bh_cached_count cached)
{
	struct free_blocks all = {0};

	bheap_stats(budget.heap, stats);
	settled_walk(budget.heap, free_count, &all);
	stats->faults += budget.faults;
	stats->free_blocks = all.count;
	stats->largest_free = all.largest;
	stats->live_blocks -= cached.blocks;
	stats->allocations += cached.calls;
	stats->frees += cached.calls + cached.blocks;
	stats->used -= bh_bytes(cached.granules);
	stats->free += bh_bytes(cached.granules);
	if (slot) {
		slot_note();
		slot_complete(stats, all.largest_hole);
	}
	if (ledger_is_wanted())
		ledger_write(stats, extent(), has_ended);
}

static void blocks_write(const struct bheap_stats *stats)
{
	if (!with_blocks)
		return;
	if (slot && table_is_same(slot->process, view.table->process))
		slot->figures[ACCOUNT_SNAPSHOT] = ledger_put_blocks(budget.heap, stats, &view);
	if (ledger_is_wanted())
		ledger_write_blocks(budget.heap, stats);
}

/* True if the program is to be aborted for a fault that was found only now. */
static bool account_finish(struct bh_cached_count cached)
{
	struct bheap_stats stats;
	bool aborts = budget_inspect();

	has_ended = true;
	if (!account_is_wanted())
		return aborts;
	account_complete(&stats, cached);
	blocks_write(&stats);
	if (slot)
		slot_end();
	return aborts;
}

void account_refusal(void)
{
	int saved = errno, state;
	struct bheap_stats stats;

	if (!account_is_wanted())
		return;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	account_complete(&stats, (struct bh_cached_count){0});
	pthread_setcancelstate(state, &state);
	errno = saved;
}

void account_abort(void)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	if (account_is_wanted() && !has_ended)
		account_finish((struct bh_cached_count){0});
	pthread_setcancelstate(state, &state);
}

/* False for the child of a vfork(2), which is in its parent's memory, and after the end. */
static bool end_is_to_be_told(void)
{
	return (account_is_wanted() || budget.guarded) && !has_ended && owner == getpid();
}

/*
 * By _exit(), perhaps in a signal handler that interrupted a call: what the caches have is
 * only counted, and a lock that does not come is done without.
 */
static void end_at_once(void)
{
	struct timespec until;
	bool aborts;

	fork_notice();
	if (!end_is_to_be_told())
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	if (!__libc_single_threaded && pthread_mutex_timedlock(&budget.lock, &until))
		return;
	aborts = account_finish(budget.cached ? bh_cached_keep(budget.heap)
					      : (struct bh_cached_count){0});
	budget_leave(!__libc_single_threaded);
	if (aborts)
		abort();
}

void _exit(int status)
{
	end_at_once();
	for (;;)
		syscall(SYS_exit_group, status);
}

void _Exit(int status)
{
	_exit(status);
}

/* Before the signal's own action: the handler is set for once. */
static void signal_end(int number)
{
	int saved = errno;

	end_at_once();
	errno = saved;
	raise(number);
}

/*
 * Where the blocks are wanted, signals that end the process and that it does not handle are
 * handled: the heap is gone afterwards.
 */
static void signals_take(void)
{
	static const int numbers[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP,   SIGABRT,
				      SIGBUS,  SIGFPE,  SIGUSR1, SIGSEGV, SIGUSR2,   SIGPIPE,
				      SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
				      SIGIO,   SIGPWR,  SIGSYS};
	struct sigaction action = {.sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK)};
	struct sigaction found;

	action.sa_handler = signal_end;
	for (size_t index = 0; index < sizeof(numbers) / sizeof(*numbers); index++)
		if (sigaction(numbers[index], NULL, &found) == 0 && found.sa_handler == SIG_DFL)
			sigaction(numbers[index], &action, NULL);
}

/* ---- start, fork and end of the process ---- */

void account_fork(void)
{
	struct bh_control *control = budget.heap ? budget.heap->core.control : NULL;
	struct bh_cached_count cached;

	has_ended = false;
	owner = getpid();
	if (budget.heap)
		growth_fork(budget.heap);
	if (generation)
		*generation = 1;
	if (!slot || !control)
		return;
	cached = cached_now();
	slot = table_claim(&view, slot, slot_tells_nothing);
	before[ACCOUNT_ALLOCATIONS] = control->allocations + cached.calls;
	before[ACCOUNT_FREES] = control->frees + cached.calls + cached.blocks;
	before[ACCOUNT_FAILURES] = control->failures;
	before[ACCOUNT_FAULTS] = control->faults + budget.faults;
	control->peak = control->used;
	if (slot)
		slot_note();
}

void account_fork_prepare(void)
{
	table_fork_prepare(&view);
}

void account_fork_parent(void)
{
	table_fork_parent(&view);
}

void account_fork_child(void)
{
	account_fork();
	table_fork_child(&view);
}

/* By exit(), after the last destructor. */
static void end_at_exit(int status, void *unused)
{
	bool locked, aborts;

	(void)status;
	(void)unused;
	fork_notice();
	if (!end_is_to_be_told())
		return;
	locked = budget_enter();
	aborts = account_finish((struct bh_cached_count){0});
	budget_leave(locked);
	if (aborts)
		abort();
}

/*
 * A destructor of this library would come before those of the libraries that the program needs,
 * which free much. What is registered before the dynamic linker's own handler comes after them
 * all; atexit() would make it a destructor.
 */
static void __attribute__((constructor(102))) account_start(void)
{
	if (slot) {
		table_name(slot);
		/* A program that never allocates has a heap, too. */
		slot->figures[ACCOUNT_SIZE] = bh_handle_size(budget.heap);
	}
	on_exit(end_at_exit, NULL);
	at_quick_exit(end_at_once);
	if (with_blocks && account_is_wanted())
		signals_take();
}
