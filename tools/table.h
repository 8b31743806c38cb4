/* SPDX-License-Identifier: MIT */
/*
 * table.h - the table of processes that bheap shares with a program and all that it starts: a slot
 * for each, and an area behind the slots. Keeps: a process maps it when its program begins, so that
 * it needs no file, name or permission later; it has no name in any folder; what another process
 * wrote is looked at with care. Refuses to know what the figures mean. Allocates nothing.
 */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TABLE_SLOTS_MOST 65536
#define TABLE_SLOTS_LEAST 64
#define TABLE_FIGURES 16

enum table_state {
	TABLE_EMPTY,
	TABLE_RUNNING,  /* or it ended without telling: the figures may be old */
	TABLE_ENDED,    /* the figures are its last */
	TABLE_REPLACED, /* it executed another program, which has a slot of its own */
	TABLE_EXECUTES, /* it executed another program, which has not registered */
};

/* Why a program that is executed will not register, as its caller sees it. */
enum table_lack {
	TABLE_LACKS_NOTHING,
	TABLE_LACKS_SETTINGS,  /* LD_PRELOAD, or the table's, in its environment */
	TABLE_LACKS_OWN_TABLE, /* another bheap set its own */
	TABLE_LACKS_LIBRARY, /* the file that is preloaded: in its root, or the right to read it */
	TABLE_LACKS_TRUST,   /* it has other rights than its user, and preloads nothing */
	TABLE_LACKS_TABLE,   /* its descriptor, which was closed, and the right to open it again */
};

/* A process: two of two namespaces may have the same number. */
struct table_process {
	int32_t pid;
	uint32_t pid_namespace; /* pid_namespace.h */
};

#define TABLE_PATH 256

/* How a program was executed: execution.h. */
struct table_execution {
	uint32_t lack;         /* enum table_lack */
	uint32_t user, group;  /* real numbers of its caller */
	char caller[32];       /* the program */
	char path[TABLE_PATH]; /* or the name that PATH is searched for; "": not known */
};

struct table_slot {
	uint32_t state;  /* enum table_state; atomic, stored last */
	uint32_t origin; /* 0: a program was executed; else 1 + the slot it was forked from */
	struct table_process process;
	int32_t parent;
	char program[32];
	uint64_t figures[TABLE_FIGURES];
	uint64_t resident;                /* the most bytes that bheap saw resident, or 0 */
	struct table_execution execution; /* of TABLE_EXECUTES the other program's, else its own */
};

struct table {
	uint32_t claimed;             /* slots, with those that there was no room for; atomic */
	struct table_process process; /* the program that bheap started */
	uint32_t area_used;
	int32_t forks;       /* whose children have not registered yet; atomic */
	int64_t used;        /* bytes in the heaps of all processes now; atomic */
	uint64_t peak;       /* the most that this came to; atomic */
	uint32_t slots_most; /* written once, by bheap */
	struct table_slot slots[];
	/* uint32_t latest[slots_most]: 1 + the last slot of a chain; see table.c */
	/* uint32_t before[slots_most]: 1 + the one before a slot in its chain */
};

static inline size_t table_size(uint32_t slots_most)
{
	return sizeof(struct table) +
	       slots_most * (sizeof(struct table_slot) + 2 * sizeof(uint32_t));
}

/* Where the area begins in the file: a multiple of every page size. */
static inline off_t table_area_offset(uint32_t slots_most)
{
	return ((off_t)table_size(slots_most) + 0xffff) & ~(off_t)0xffff;
}

struct table_view {
	struct table *table; /* NULL: there is none */
	uint32_t slots_most; /* as it was when the table was mapped */
	char *area;          /* inaccessible until table_area_open() */
	size_t area_size;
	int beyond;      /* errno of what lies beyond the area */
	int before_fork; /* errno */
};

/* A module that is preloaded exports none of this. */
#pragma GCC visibility push(hidden)

/*
 * Maps the table that a setting of bheap's names. A part of the area only, or none, where addresses
 * are scarce.
 */
void table_attach(struct table_view *view, const char *setting);

/* True if a program that is executed now, as this user, will find the table of the setting. */
bool table_is_handed_down(const char *setting);

/*
 * Makes room where so many bytes of addresses are left to the process: only the part of them that
 * the area takes in such a process is kept, and what begins the area up to kept.
 */
void table_area_limit(struct table_view *view, uint64_t addresses, size_t kept);

/* Makes a part of the area, of whole pages, accessible; false if it cannot have memory. */
int table_area_open(const struct table_view *view, size_t offset, size_t size);

/*
 * A slot for this process, running, with its name and numbers, and the figures 0. NULL: they are
 * all taken. A slot that the process has already becomes TABLE_REPLACED, or is taken over if
 * may_replace() says that it tells nothing.
 */
struct table_slot *table_claim(const struct table_view *view, const struct table_slot *origin,
			       int (*may_replace)(struct table *, struct table_slot *));

/*
 * The slot of a process that is about to execute a program, or a new one without figures. Process
 * 0: a child that is to be made. NULL: they are all taken. The rest is execution.c's.
 */
struct table_slot *table_execute(const struct table_view *view, pid_t pid);

/* It failed: a slot that was new is not needed. */
void table_execute_cancel(const struct table_view *view, struct table_slot *slot);

/* The child was made, and has perhaps registered since. */
void table_execute_child(const struct table_view *view, struct table_slot *slot, pid_t child);

/*
 * In the handlers of fork(2), under one lock: from before it until the child has claimed its slot,
 * bheap knows of it. No view: nothing.
 */
void table_fork_prepare(struct table_view *view);
void table_fork_parent(const struct table_view *view);
void table_fork_child(const struct table_view *view);

/* The number of a slot from 0 on. */
static inline uint32_t table_index(const struct table *table, const struct table_slot *slot)
{
	return (uint32_t)(slot - table->slots);
}

/*
 * A byte that is 1, and 0 in the child of a fork: also of one that calls no handlers, as _Fork(3)
 * or clone(2). NULL where the kernel cannot do that.
 */
char *table_generation(void);

/* Writes the program's name, which is not known yet where a program allocates early. */
void table_name(struct table_slot *slot);

#pragma GCC visibility pop

/* Where a namespace is not known, the numbers are compared alone. */
static inline int table_is_same(struct table_process one, struct table_process other)
{
	return one.pid == other.pid && (one.pid_namespace == other.pid_namespace ||
					!one.pid_namespace || !other.pid_namespace);
}

static inline enum table_state table_state(const struct table_slot *slot)
{
	return (enum table_state)__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
}

static inline void table_state_set(struct table_slot *slot, enum table_state state)
{
	__atomic_store_n(&slot->state, (uint32_t)state, __ATOMIC_RELEASE);
}

#endif
