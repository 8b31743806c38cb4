/* SPDX-License-Identifier: MIT */
/*
 * callers.c - see callers.h. Stacks are a tree whose root is outside: the line "n ID PARENT
 * ADDRESS" tells of one node, once. The address 1 stands for calls that were left out. Keeps: the
 * lock is never held while libgcc or the loader is asked, for they may wait for a thread that waits
 * for it.
 */
#include "callers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "loaded.h"
#include "record.h"
#include "setting.h"

#define NODES ((size_t)1 << 20)
#define NODES_FULL (NODES / 4 * 3)
#define LEFT_OUT 1
#define TRAILS 16 /* of threads; two may have one, and find less in it */

struct node {
	uintptr_t ip; /* 0: none */
	uint32_t parent, number;
};

/* Under the lock. */
static struct node *nodes;
static size_t node_count;
static uint32_t last_number;
static struct unwind_stack stack_now;
static struct unwind_trail trails[TRAILS];

/* Of a thread. A hook on what is called here may allocate. */
static __thread bool busy __attribute__((tls_model("initial-exec")));
static __thread uintptr_t stack_top __attribute__((tls_model("initial-exec")));

bool callers_wanted(void)
{
	static int wanted = -1; /* atomic */
	int known = __atomic_load_n(&wanted, __ATOMIC_RELAXED);

	if (known < 0) {
		known = setting_find("BHEAP_RECORD_CALLERS") != NULL;
		__atomic_store_n(&wanted, known, __ATOMIC_RELAXED);
	}
	return known;
}

/* ---- the tree; under the lock ---- */

static void *pages_map(size_t size)
{
	void *made = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return made == MAP_FAILED ? NULL : made;
}

/* The same numbers are never given again: a stack may get a second one. */
static void nodes_forget(void)
{
	if (nodes)
		munmap(nodes, NODES * sizeof(*nodes));
	nodes = pages_map(NODES * sizeof(*nodes));
	node_count = 0;
}

static uint32_t node_add(struct node *node, uint32_t parent, uintptr_t ip)
{
	*node = (struct node){ip, parent, ++last_number};
	node_count++;
	loaded_tell(ip);
	record_line(0, "n %u %u %jx\n", node->number, parent, (uintmax_t)ip);
	return node->number;
}

static uint32_t node_find(uint32_t parent, uintptr_t ip)
{
	uint64_t hash = ((uint64_t)ip ^ (uint64_t)parent << 32) * UINT64_C(0x9e3779b97f4a7c15);
	size_t place = (size_t)(hash >> 40);

	while (nodes[place % NODES].ip) {
		const struct node *node = &nodes[place % NODES];

		if (node->ip == ip && node->parent == parent)
			return node->number;
		place++;
	}
	return node_add(&nodes[place % NODES], parent, ip);
}

static bool nodes_ready(void)
{
	if (!nodes || node_count >= NODES_FULL)
		nodes_forget();
	return nodes;
}

/* 0: there is no memory. */
static uint32_t number_find(const struct unwind_stack *stack)
{
	uint32_t number = 0;

	if (!nodes_ready())
		return 0;
	if (!stack->whole)
		number = node_find(number, LEFT_OUT);
	for (size_t left = stack->count; left; left--)
		number = node_find(number, stack->frames[left - 1].ip);
	return number;
}

/* The same of a whole stack, whose trail is this now. */
static uint32_t number_follow(struct unwind_trail *trail, const struct unwind_stack *stack)
{
	uint32_t number = 0;

	if (!nodes_ready())
		return 0;
	unwind_follow(trail, stack);
	if (stack->joined)
		number = trail->marks[stack->joined - 1].number;
	for (size_t index = stack->joined; index < trail->count; index++) {
		number = node_find(number, trail->marks[index].frame.ip);
		trail->marks[index].number = number;
	}
	return number;
}

/* ---- one stack ---- */

static void trails_forget(void)
{
	for (size_t index = 0; index < TRAILS; index++)
		trails[index].count = 0;
}

static void stale_forget(void)
{
	if (!loaded_forget())
		return;
	unwind_forget();
	trails_forget();
	nodes_forget();
}

static uint32_t find_by_rules(struct unwind_frame caller)
{
	struct unwind_trail *trail = &trails[(stack_top >> 12) % TRAILS];
	uint32_t number = 0;

	record_lock();
	stale_forget();
	if (unwind_by_rules(&stack_now, caller, stack_top, trail))
		number = stack_now.whole ? number_follow(trail, &stack_now)
					 : number_find(&stack_now);
	record_unlock();
	return number;
}

static uint32_t find_by_library(struct unwind_frame caller)
{
	struct unwind_stack *stack = pages_map(sizeof(*stack));
	uint32_t number;

	if (!stack)
		return 0;
	unwind_by_library(stack, caller);
	if (stack->count)
		stack_top = stack->frames[stack->count - 1].sp;
	record_lock();
	unwind_learn(stack);
	trails_forget();
	number = number_find(stack);
	record_unlock();
	munmap(stack, sizeof(*stack));
	return number;
}

uint32_t callers_find(struct unwind_frame caller)
{
	int error = errno;
	uint32_t number;

	if (busy)
		return 0;
	busy = true;
	number = find_by_rules(caller);
	if (!number)
		number = find_by_library(caller);
	busy = false;
	errno = error;
	return number;
}
