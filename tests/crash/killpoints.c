/* SPDX-License-Identifier: MIT */
/*
 * killpoints.c - kills a process at every instruction of every operation of the corpus, and holds
 * what is left against what must be.
 *
 * A killed process leaves three things: the memory it shared, its list of robust mutexes, and what
 * its system calls did. Two instructions between which none of these changed are one and the same
 * death to everyone else. So each operation is stepped through once, instruction by instruction, to
 * find where something changed; then a new worker is really killed in each of the states between,
 * before the first of its instructions. With --every it is killed before each single one.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corpus.h"
#include "heap_file.h"
#include "stepper.h"

#define TIME_LIMIT 10 /* seconds until what waits is taken to hang */
#define STEPS_MAX 1000000

/* Who else is there when the worker dies. */
enum company {
	ATTACHED, /* a process that is attached all the time */
	WAITING,  /* that process waits for the lock */
	ALONE,    /* no process: the next one to open the heap finds it */
	COMPANIES,
};

static const char *const company_names[] = {"attached", "waiting", "alone"};

/* An instruction before which the worker is killed. */
struct point {
	unsigned step;
	uint64_t pc;
	unsigned arrivals; /* there, since the beginning */
	unsigned repeats;  /* of an instruction that repeats itself, since the last of them */
};

/* How often each instruction was arrived at. */
struct visits {
	struct visit {
		uint64_t pc;
		unsigned arrivals;
	} * visits;
	unsigned count;
};

struct trial {
	const struct operation *operation;
	unsigned flags;
	enum company company;
	const char *after; /* the operation that was cut short before this one, or NULL */
	unsigned steps;    /* instructions from the beginning to the end of the operation */
	struct point *points;
	unsigned count;
	unsigned failures;
};

static struct {
	pid_t pid;
	int commands, answers;
	bool asked;
} survivor;

static struct {
	unsigned trials, failed_trials, instructions, kills, failures;
} total;

static bool every;
static const char *only;

/* ---- the next process ---- */

static void fault_ignore(const struct bheap_fault *fault, void *arg)
{
	(void)fault;
	(void)arg;
}

static void survivor_serve(int commands, int answers)
{
	bheap_t *heap;
	char byte = 'r';

	expect_listen(heap_file.expect);
	heap = bheap_open_fd(heap_file.fd, 0, 0);
	if (!heap || write(answers, &byte, 1) != 1)
		_exit(1);
	while (read(commands, &byte, 1) == 1) {
		expect_listen(heap_file.expect);
		expect_verify(heap_file.expect, heap);
		if (write(answers, &byte, 1) != 1)
			break;
	}
	_exit(0);
}

/* What it has to say within the time limit: 1; 0: it hangs; -1: it crashed. */
static int survivor_answer(void)
{
	struct pollfd answer = {.fd = survivor.answers, .events = POLLIN};
	char byte;

	if (poll(&answer, 1, TIME_LIMIT * 1000) != 1)
		return 0;
	return read(survivor.answers, &byte, 1) == 1 ? 1 : -1;
}

static void survivor_start(void)
{
	int commands[2], answers[2];

	if (pipe2(commands, O_CLOEXEC) || pipe2(answers, O_CLOEXEC))
		err(1, "pipe");
	survivor.pid = fork();
	if (survivor.pid < 0)
		err(1, "fork");
	if (!survivor.pid) {
		close(commands[1]);
		close(answers[0]);
		survivor_serve(commands[0], answers[1]);
	}
	close(commands[0]);
	close(answers[1]);
	survivor.commands = commands[1];
	survivor.answers = answers[0];
	survivor.asked = false;
	if (survivor_answer() != 1)
		errx(1, "the survivor cannot attach");
}

static void survivor_end(void)
{
	kill(survivor.pid, SIGKILL);
	waitpid(survivor.pid, NULL, 0);
	close(survivor.commands);
	close(survivor.answers);
}

static void survivor_ask(void)
{
	if (!survivor.asked && write(survivor.commands, "v", 1) != 1)
		err(1, "the survivor");
	survivor.asked = true;
}

/* Its verdict is in the expect; after a hang or a crash there is a new one. */
static void survivor_hear(void)
{
	int answer = survivor_answer();

	survivor.asked = false;
	if (answer == 1)
		return;
	expect_fail(heap_file.expect, answer ? "the survivor crashed" : "the survivor hangs");
	survivor_end();
	survivor_start();
}

/* Without permission to make one there is a whole heap, or a clear refusal. */
static void name_probe(const struct expect *expect, int oflag)
{
	bheap_t *heap = bheap_open(expect->name, 0, oflag, 0, 0);

	if (heap ? bheap_check(heap, NULL) || bheap_close(heap)
		 : errno != ENOENT && errno != EPROTO)
		expect_fail(heap_file.expect, "a heap half made was opened");
}

static void newcomer_serve(const struct trial *trial)
{
	struct expect *expect = heap_file.expect;
	size_t size = trial->operation->traits & MAKES ? EXPECT_SIZE : 0;
	bheap_t *heap;

	alarm(TIME_LIMIT);
	if (trial->operation->traits & NAMED) {
		bheap_set_fault_handler(NULL, fault_ignore, NULL);
		name_probe(expect, O_RDONLY);
		name_probe(expect, O_RDWR);
	}
	expect_listen(expect);
	if (trial->operation->traits & NAMED) {
		heap = bheap_open(expect->name, size, O_RDWR | O_CREAT, 0600, trial->flags);
	} else {
		heap = bheap_open_fd(heap_file.fd, size, size ? trial->flags : 0);
	}
	if (!heap)
		err(1, "the newcomer");
	expect_verify(expect, heap);
	_exit(bheap_close(heap) ? 1 : 0);
}

static void newcomer_run(const struct trial *trial)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		err(1, "fork");
	if (!pid)
		newcomer_serve(trial);
	if (waitpid(pid, &status, 0) < 0)
		err(1, "waitpid");
	if (WIFSIGNALED(status))
		expect_fail(heap_file.expect, WTERMSIG(status) == SIGALRM ? "the newcomer hangs"
									  : "the newcomer crashes");
	else if (status)
		expect_fail(heap_file.expect, "the newcomer cannot open the heap");
}

/* ---- the worker ---- */

static void worker_serve(void *arg)
{
	const struct trial *trial = arg;
	struct expect *expect = heap_file.expect;
	bheap_t *heap = NULL;

	bheap_set_fault_handler(NULL, fault_ignore, NULL);
	if (!(trial->operation->traits & OPENS)) {
		heap = bheap_open_fd(heap_file.fd, 0, 0);
		if (!heap)
			err(1, "the worker");
	}
	raise(SIGSTOP);
	trial->operation->run(expect, heap);
	expect->phase = AFTER;
	raise(SIGSTOP);
}

static void worker_start(struct stepper *worker, struct trial *trial)
{
	heap_file_reset();
	stepper_start(worker, worker_serve, trial);
	if (!stepper_run_to(worker, (uint64_t)(uintptr_t)trial->operation->run, 1))
		errx(1, "%s: the worker did not begin", trial->operation->name);
}

/* Once the worker is inside, the survivor comes and waits; how far it is the lock tells. */
static void company_arrive(const struct trial *trial)
{
	if (trial->company != WAITING || survivor.asked || !heap_file_is_locked())
		return;
	survivor_ask();
	for (unsigned tries = 0; !heap_file_is_awaited(); tries++) {
		if (tries > TIME_LIMIT * 1000)
			errx(1, "%s: the survivor does not wait", trial->operation->name);
		usleep(100);
	}
}

/* Until something else than a step happens, or the operation is over. */
static bool worker_step(struct stepper *worker, struct trial *trial)
{
	bool going = stepper_step(worker);

	company_arrive(trial);
	return going;
}

/* ---- the trial ---- */

static void *array_grow(void *array, unsigned count, size_t size)
{
	array = reallocarray(array, count + 1, size);
	if (!array)
		err(1, "reallocarray");
	return array;
}

static void point_add(struct trial *trial, const struct point *point)
{
	trial->points = array_grow(trial->points, trial->count, sizeof(*point));
	trial->points[trial->count++] = *point;
}

static unsigned visit_count(struct visits *visits, uint64_t pc)
{
	unsigned index = 0;

	while (index < visits->count && visits->visits[index].pc != pc)
		index++;
	if (index == visits->count) {
		visits->visits = array_grow(visits->visits, index, sizeof(*visits->visits));
		visits->visits[visits->count++] = (struct visit){.pc = pc};
	}
	return ++visits->visits[index].arrivals;
}

/* The worker has moved on by one instruction, to here. */
static void point_move(struct point *point, struct visits *visits, const struct stepper *worker)
{
	uint64_t pc = stepper_pc(worker);

	point->step++;
	point->repeats = pc == point->pc ? point->repeats + 1 : 0;
	if (!point->repeats)
		point->arrivals = visit_count(visits, pc);
	point->pc = pc;
}

/* Whether something changed that outlives the worker. */
static bool state_changed(const struct stepper *worker, struct robust_state *last)
{
	struct robust_state robust = stepper_robust_state(worker);
	bool changed = memcmp(&robust, last, sizeof(robust)) != 0;

	*last = robust;
	return heap_file_changed() || changed;
}

/* Up to the end of the operation, or to the waking of a waiter. */
static bool worker_survey(struct trial *trial, struct stepper *worker, struct visits *visits)
{
	struct point point = {.pc = stepper_pc(worker)};
	struct robust_state robust = stepper_robust_state(worker);
	bool called = true, changed = true, woken = false;

	while (heap_file.expect->phase != AFTER && !woken && point.step < STEPS_MAX) {
		if (called || changed || every)
			point_add(trial, &point);
		called = stepper_is_at_system_call(worker);
		if (!worker_step(worker, trial))
			break;
		if (called)
			heap_file_look(trial->operation->traits & NAMED);
		changed = state_changed(worker, &robust);
		woken = called && survivor.asked && !heap_file_is_locked();
		point_move(&point, visits, worker);
	}
	trial->steps = point.step;
	return woken || heap_file.expect->phase == AFTER;
}

/* Runs the operation whole, finds the points, and sees that it took the path it was made for. */
static void trial_survey(struct trial *trial)
{
	struct visits visits = {0};
	struct stepper worker;

	worker_start(&worker, trial);
	if (!worker_survey(trial, &worker, &visits))
		errx(1, "%s: the worker did not reach the end", trial->operation->name);
	if (heap_file.expect->phase == AFTER &&
	    heap_file.expect->result != heap_file.expect->expected)
		errx(1, "%s: another path was taken: %#llx, not %#llx", trial->operation->name,
		     (unsigned long long)heap_file.expect->result,
		     (unsigned long long)heap_file.expect->expected);
	stepper_kill(&worker);
	if (survivor.asked)
		survivor_hear();
	free(visits.visits);
}

static void trial_fail(struct trial *trial, const struct point *point, const char *why)
{
	trial->failures++;
	printf("# %s, flags %#x, %s, killed after %u of %u instructions (%#llx): %s\n",
	       trial->operation->name, trial->flags, company_names[trial->company], point->step,
	       trial->steps, (unsigned long long)point->pc, why);
}

/* To the point: at a stroke, or step by step if somebody is to come on the way. */
static bool worker_advance(struct stepper *worker, struct trial *trial, const struct point *point)
{
	bool going = true;

	if (trial->company == WAITING) {
		for (unsigned step = 0; going && step < point->step; step++)
			going = worker_step(worker, trial);
		return going;
	}
	going = stepper_run_to(worker, point->pc, point->arrivals);
	for (unsigned repeat = 0; going && repeat < point->repeats; repeat++)
		going = stepper_step(worker);
	return going;
}

/* Really kills a worker there. */
static void trial_kill(struct trial *trial, const struct point *point)
{
	struct stepper worker;

	worker_start(&worker, trial);
	if (!worker_advance(&worker, trial, point))
		errx(1, "%s: the worker ended on its own", trial->operation->name);
	if (stepper_pc(&worker) != point->pc)
		errx(1, "%s: the worker took another way", trial->operation->name);
	stepper_kill(&worker);
	total.kills++;
}

static void trial_judge(struct trial *trial, const struct point *point)
{
	trial_kill(trial, point);
	if (trial->company == ALONE) {
		newcomer_run(trial);
	} else {
		survivor_ask();
		survivor_hear();
	}
	if (heap_file.expect->verdict[0])
		trial_fail(trial, point, heap_file.expect->verdict);
}

static void trial_tell(const struct trial *trial)
{
	total.trials++;
	total.failed_trials += trial->failures > 0;
	total.failures += trial->failures;
	total.instructions += trial->steps;
	printf("%sok %u - %s%s%s%s%s, %s: %u instructions, %u states, %u failures\n",
	       trial->failures ? "not " : "", total.trials, trial->operation->name,
	       trial->after ? " after " : "", trial->after ? trial->after : "",
	       trial->flags & BHEAP_GUARD ? ", guarded" : "",
	       trial->flags & BHEAP_OWNED ? ", owned" : "", company_names[trial->company],
	       trial->steps, trial->count, trial->failures);
	fflush(stdout);
}

/* On the heap file as it is set. */
static void trial_run(struct trial *trial)
{
	if (trial->company != ALONE)
		survivor_start();
	trial_survey(trial);
	for (unsigned index = 0; index < trial->count; index++)
		trial_judge(trial, &trial->points[index]);
	if (trial->company != ALONE)
		survivor_end();
	trial_tell(trial);
	free(trial->points);
}

static void operation_try(const struct operation *operation, unsigned flags, enum company company)
{
	struct trial trial = {.operation = operation, .flags = flags, .company = company};

	heap_file_set(operation, flags);
	trial_run(&trial);
}

/* ---- recovery cut short ---- */

/* The recovery from a death in the given operation, at every stride-th of its states inside. */
static void recovery_try(const struct operation *operation, unsigned flags, unsigned stride)
{
	struct trial source = {.operation = operation, .flags = flags, .company = ALONE};
	unsigned inside = 0;

	heap_file_set(operation, flags);
	trial_survey(&source);
	for (unsigned index = 0; index < source.count; index++) {
		struct trial lock = {.operation = &recovery_by_lock, .company = ATTACHED};
		struct trial open = {.operation = &recovery_by_open, .company = ALONE};

		heap_file_set(operation, flags);
		trial_kill(&source, &source.points[index]);
		if (!heap_file_is_orphaned() || inside++ % stride != stride / 2)
			continue;
		heap_file.expect->unheard = 1;
		heap_file_keep();
		lock.flags = open.flags = flags;
		lock.after = open.after = operation->name;
		trial_run(&lock);
		trial_run(&open);
	}
	free(source.points);
}

/* ---- all of it ---- */

static const unsigned flag_sets[] = {0, BHEAP_GUARD, BHEAP_GUARD | BHEAP_OWNED};
#define FLAG_SETS (sizeof(flag_sets) / sizeof(flag_sets[0]))

static bool makes_sense(const struct operation *operation, unsigned flags, enum company company)
{
	if (operation->needs & ~flags || (only && strcmp(only, operation->name) != 0))
		return false;
	switch (company) {
	case ATTACHED: return !(operation->traits & (MAKES | SOLE));
	case WAITING: return operation->traits & AWAITED;
	default: return !(operation->traits & REBUILDS);
	}
}

/* Each operation once, in turn with each set of flags and in each company. */
static void run_quickly(void)
{
	for (unsigned index = 0; index < corpus_count; index++) {
		const struct operation *operation = &corpus[index];
		unsigned flags = operation->needs | flag_sets[index % FLAG_SETS];
		enum company company = index % COMPANIES;

		while (!makes_sense(operation, flags, company))
			company = (company + 1) % COMPANIES;
		operation_try(operation, flags, company);
	}
	recovery_try(&corpus[1], 0, 20);
}

static void run_whole(void)
{
	for (unsigned index = 0; index < corpus_count; index++) {
		const struct operation *operation = &corpus[index];

		for (unsigned set = 0; set < FLAG_SETS; set++)
			for (enum company company = 0; company < COMPANIES; company++)
				if (makes_sense(operation, flag_sets[set], company))
					operation_try(operation, flag_sets[set], company);
		if (operation->traits & RECOVERED && (!only || strcmp(only, operation->name) == 0))
			recovery_try(operation, BHEAP_GUARD | BHEAP_OWNED,
				     every || operation->traits & CLOSELY ? 1 : 4);
	}
}

static void usage(const char *program)
{
	errx(2, "usage: %s [--whole] [--every] [--only OPERATION]", program);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"whole", no_argument, NULL, 'w'},
		{"every", no_argument, NULL, 'e'},
		{"only", required_argument, NULL, 'o'},
		{0},
	};
	const char *refusal = stepper_refusal();
	bool whole = false;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
		if (option == '?')
			usage(argv[0]);
		whole = true;
		every |= option == 'e';
		only = option == 'o' ? optarg : only;
	}
	if (refusal) {
		printf("1..0 # SKIP %s\n", refusal);
		return 0;
	}
	heap_file_make();
	if (whole)
		run_whole();
	else
		run_quickly();
	printf("1..%u\n# %u instructions, %u kills, %u failures\n", total.trials,
	       total.instructions, total.kills, total.failures);
	return total.failures ? 1 : 0;
}
