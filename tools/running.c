/* SPDX-License-Identifier: MIT */
/*
 * running.c - see running.h.
 */
#include "running.h"

#include <string.h>

#include "process.h"
#include "sharers.h"

/* How often is looked at what runs while more and more begins. */
#define LOOKS 50

struct count {
	size_t running;
	size_t unregistered; /* that have the table mapped */
	bool seen;           /* who has, as far as they may be looked at */
	bool hidden;         /* some may not */
};

/*
 * False where its number is another process's by now. What cannot be seen is its own, if it is
 * known in which namespace that is.
 */
static bool slot_is_named(const struct table_slot *slot)
{
	bool executes = table_state(slot) == TABLE_EXECUTES;
	const char *path = executes ? slot->execution.path : slot->program;
	const char *last = strrchr(path, '/');
	struct process process;
	char number[32];

	snprintf(number, sizeof(number), "%ld", handover_number(slot));
	if (process_find(&process, number))
		return slot->process.pid_namespace;
	return process_is_named(&process, last ? last + 1 : path);
}

/*
 * True if it does not have the table mapped, or if that cannot be seen. A program that was executed
 * has it before it registers.
 */
static bool is_unshared(const struct table_slot *slot, const struct sharers *sharers)
{
	pid_t pid = (pid_t)handover_number(slot);

	return !sharers_have(sharers, pid) &&
	       (table_state(slot) == TABLE_EXECUTES || !sharers_see(pid));
}

/* The processes of slots that live; *unshared: those that the table's mapping does not tell of. */
static size_t slots_running(const struct handover *handover, const struct sharers *sharers,
			    size_t *unshared)
{
	size_t missed, slots = handover_count(handover, &missed), running = 0;

	*unshared = 0;
	for (size_t index = 0; index < slots; index++) {
		const struct table_slot *slot = &handover->table->slots[index];

		if (!handover_lives(slot))
			continue;
		running++;
		*unshared += is_unshared(slot, sharers) && slot_is_named(slot);
	}
	return running;
}

/*
 * A process that has the table mapped runs, whatever its number is in its namespace, and whether it
 * has registered or not. The slots tell of programs that do not have the table mapped, and of
 * processes that may not be looked at. Where /proc tells nothing: what the table tells.
 */
static void look(struct count *count, const struct handover *handover, enum handover_held held)
{
	struct sharers sharers = {0};
	bool none = held == HANDOVER_HELD_NOT;
	bool seen = none || sharers_find(&sharers, handover->table);
	size_t unshared, slots = slots_running(handover, &sharers, &unshared);

	*count = (struct count){.seen = seen, .hidden = !none && sharers.hidden};
	if (sharers.count > slots - unshared)
		count->unregistered = sharers.count - (slots - unshared);
	count->running = seen ? sharers.count + unshared : slots + handover_forks(handover);
	sharers_release(&sharers);
}

/*
 * Once more where one was forked or has registered meanwhile: its parent may have ended before it
 * was looked at, and it may have begun after that.
 */
static enum handover_held look_until_still(struct count *count, const struct handover *handover)
{
	enum handover_held held;
	size_t missed, slots, forks;
	unsigned looks = LOOKS;

	do {
		slots = handover_count(handover, &missed);
		forks = handover_forks(handover);
		held = handover_held(handover);
		look(count, handover, held);
	} while (--looks &&
		 (handover_count(handover, &missed) != slots || handover_forks(handover) != forks));
	return held;
}

size_t running_count(const struct handover *handover, bool *unsure)
{
	struct count count;
	enum handover_held held = look_until_still(&count, handover);
	size_t forks = handover_forks(handover);
	bool explained = forks <= count.unregistered || !count.hidden;

	*unsure = held != HANDOVER_HELD_NOT && forks && !(count.seen && explained);
	if (!count.running && (*unsure || held == HANDOVER_HELD)) {
		*unsure = true;
		count.running = forks ? forks : 1;
	}
	return count.running;
}

const char *running_verb(size_t running, bool unsure)
{
	if (unsure)
		return "may run";
	return running == 1 ? "runs" : "run";
}
