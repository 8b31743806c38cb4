/* SPDX-License-Identifier: MIT */
/*
 * fault.c - composes reports and delivers them: to the heap's handler, else to the default one,
 * else as a line to standard error. Uses neither stdio nor allocation, since it may run inside a
 * program's malloc().
 */
#include "os/fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/probe.h"
#include "os/fork.h"
#include "os/jump.h"
#include "os/setting.h"

static const char *const fault_texts[] = {
	[BHEAP_FAULT_NONE] = "no fault",
	[BHEAP_FAULT_NOT_A_BLOCK] = "not the start of a block",
	[BHEAP_FAULT_DOUBLE_FREE] = "the block is free already",
	[BHEAP_FAULT_OVERFLOW] = "bytes past the block were overwritten",
	[BHEAP_FAULT_DAMAGED_INDEX] = "the index is damaged",
	[BHEAP_FAULT_DAMAGED_MAP] = "the block map is damaged",
	[BHEAP_FAULT_COUNT] = "a counter disagrees with the block map",
	[BHEAP_FAULT_RECOVERED] = "death or fork cut an operation off; the heap was rebuilt",
	[BHEAP_FAULT_BAD_FILE] = "not a usable heap file",
	[BHEAP_FAULT_WRITTEN_FREE] = "written to after free",
};

/*
 * The default handler is read without a lock: a signal handler may report while its thread reads or
 * sets one. Each that is set is stored where the last but one was.
 */
struct standard {
	bheap_fault_fn *handler;
	void *arg;
};
static struct standard standards[2];
static unsigned standards_set; /* how many were: the last is at this number modulo 2 */

/* A handler whose own calls are reported is not called again so deep: it would never end. */
#define NESTING_MAX 4

static void text_add(struct bheap_fault *fault, const char *words)
{
	size_t length = strlen(fault->text);

	while (*words && length + 1 < sizeof(fault->text))
		fault->text[length++] = *words++;
	fault->text[length] = '\0';
}

static void text_add_number(struct bheap_fault *fault, uintptr_t value, unsigned base)
{
	char digits[24], *first = digits + sizeof(digits) - 1;

	*first = '\0';
	do {
		*--first = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	text_add(fault, first);
}

static void text_add_address(struct bheap_fault *fault, const void *address)
{
	text_add(fault, "0x");
	text_add_number(fault, (uintptr_t)address, 16);
}

/*
 * A free block may have merged with others since the program knew it: its size would be a riddle.
 * at: a byte of a free block, or NULL.
 */
static bool has_known_size(enum bheap_fault_kind kind, const void *at)
{
	return !at && kind != BHEAP_FAULT_DOUBLE_FREE && kind != BHEAP_FAULT_DAMAGED_INDEX;
}

void bh_fault_describe(struct bheap_fault *fault, enum bheap_fault_kind kind, const bheap_t *heap,
		       const void *address, size_t size, const char *detail, const void *at)
{
	*fault = (struct bheap_fault){.kind = kind, .heap = heap, .address = address, .size = size};
	text_add(fault, "bheap: ");
	if (address) {
		text_add_address(fault, address);
		if (size && has_known_size(kind, at)) {
			text_add(fault, " (");
			text_add_number(fault, size, 10);
			text_add(fault, " bytes)");
		}
		text_add(fault, ": ");
	}
	text_add(fault, fault_texts[kind]);
	if (detail) {
		text_add(fault, ": ");
		text_add(fault, detail);
	}
	if (at) {
		text_add(fault, " at +");
		text_add_number(fault, (uintptr_t)at - (uintptr_t)address, 10);
	}
}

static void line_to_stderr(const struct bheap_fault *fault)
{
	char line[sizeof(fault->text)]; /* its newline lies where the text has its end */
	size_t length = strlen(fault->text), done = 0;

	memcpy(line, fault->text, length);
	line[length++] = '\n';
	while (done < length) {
		ssize_t written = write(STDERR_FILENO, line + done, length - done);

		if (written < 0 && errno != EINTR)
			break;
		done += written > 0 ? (size_t)written : 0;
	}
}

/*
 * Reports of the calling thread whose handlers have not returned. Initial exec: memory that the
 * dynamic linker would have to allocate may be this library's to allocate.
 */
struct nesting {
	unsigned depth;
	const char *frame; /* of the innermost */
};
static __thread struct nesting nesting __attribute__((tls_model("initial-exec")));

/*
 * One more; returns what was. A frame that is not below the last one: a handler left by longjmp(),
 * of which the C library did not tell.
 */
static struct nesting nesting_begin(const char *frame)
{
	struct nesting outer = nesting;

	if (frame >= outer.frame)
		outer = (struct nesting){0};
	nesting = (struct nesting){outer.depth + 1, frame};
	return outer;
}

static void nesting_end(void *outer)
{
	nesting = *(const struct nesting *)outer;
}

static void handler_run(const struct bh_fault_sink *sink, const struct bheap_fault *fault,
			struct nesting *outer)
{
	struct bh_jump_watch watch;

	bh_jump_watch(&watch, nesting_end, outer);
	sink->handler(fault, sink->arg);
	bh_jump_unwatch(&watch);
}

/* Again if another one was set meanwhile: the next one may be half stored. */
static void standard_read(struct bh_fault_sink *sink)
{
	unsigned set, before;

	set = __atomic_load_n(&standards_set, __ATOMIC_ACQUIRE);
	do {
		const struct standard *last = &standards[set % 2];

		before = set;
		sink->handler = __atomic_load_n(&last->handler, __ATOMIC_ACQUIRE);
		sink->arg = __atomic_load_n(&last->arg, __ATOMIC_ACQUIRE);
		set = __atomic_load_n(&standards_set, __ATOMIC_ACQUIRE);
	} while (set != before);
}

void bh_fault_report(const struct bh_fault_sink *sink, const struct bheap_fault *fault)
{
	struct bh_fault_sink used = *sink;
	struct nesting outer = nesting_begin(__builtin_frame_address(0));
	int saved = errno;

	bh_probe_fault(fault);
	if (!used.handler)
		standard_read(&used);
	if (used.handler && outer.depth < NESTING_MAX)
		handler_run(&used, fault, &outer);
	else
		line_to_stderr(fault);
	if (used.aborts || bh_settings.aborts)
		abort();
	nesting_end(&outer);
	errno = saved;
}

void bh_fault_set_default(bheap_fault_fn *handler, void *arg)
{
	struct standard *last_but_one;

	bh_fork_lock(BH_FORK_LOCK_HANDLER);
	last_but_one = &standards[(standards_set + 1) % 2];
	__atomic_store_n(&last_but_one->handler, handler, __ATOMIC_RELEASE);
	__atomic_store_n(&last_but_one->arg, arg, __ATOMIC_RELEASE);
	__atomic_store_n(&standards_set, standards_set + 1, __ATOMIC_RELEASE);
	bh_fork_unlock(BH_FORK_LOCK_HANDLER);
}
