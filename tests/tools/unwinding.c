/* SPDX-License-Identifier: MIT */
/*
 * unwinding.c - tools/unwind.c beside libgcc: functions with frames of many kinds call each other
 * at random; each stack that is unwound by what is remembered must be libgcc's, and most must be.
 */
#include "tools/unwind.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 20000
#define DEPTH 40
#define APART __attribute__((noinline))

#if defined(__x86_64__) || defined(__i386__)
#define HITS_LEAST (ROUNDS / 10 * 8)
#else
#define HITS_LEAST 0
#endif

typedef unsigned long call_fn(int depth, unsigned long number);

static uint64_t state = 88172645463325252;
static long hits, joins, wrong;
static volatile unsigned long sink;
static struct unwind_stack truth, found;
static struct unwind_trail trail;

static unsigned random_below(unsigned limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 33) % limit;
}

/* The trail of what was found, which begins at its other end. */
static bool stacks_equal(void)
{
	if (trail.count != truth.count || found.whole != truth.whole)
		return false;
	for (size_t index = 0; index < truth.count; index++) {
		const struct unwind_frame *frame = &trail.marks[trail.count - 1 - index].frame;

		if (frame->ip != truth.frames[index].ip || frame->sp != truth.frames[index].sp)
			return false;
	}
	return true;
}

APART static unsigned long look(void)
{
	struct unwind_frame caller =
		unwind_caller(__builtin_frame_address(0), __builtin_return_address(0));

	unwind_by_library(&truth, caller);
	if (unwind_by_rules(&found, caller, truth.frames[truth.count - 1].sp, &trail)) {
		unwind_follow(&trail, &found);
		hits++;
		joins += found.joined > 0;
		wrong += !stacks_equal();
	} else {
		unwind_learn(&truth);
		trail.count = 0;
	}
	return truth.count;
}

static call_fn call_plain, call_sized, call_large, call_aligned, call_many, call_va;

static unsigned long call_next(int depth, unsigned long number)
{
	static call_fn *const functions[] = {call_plain,   call_sized, call_large,
					     call_aligned, call_many,  call_va};

	if (depth <= 0)
		return look();
	return functions[random_below(sizeof(functions) / sizeof(*functions))](depth - 1, number);
}

APART static unsigned long call_plain(int depth, unsigned long number)
{
	return call_next(depth, number + 1) + number;
}

/* Only the frame pointer tells where it ends. */
APART static unsigned long call_sized(int depth, unsigned long number)
{
	char *room = __builtin_alloca(16 + random_below(20) * 16);
	unsigned long result;

	memset(room, (int)number, 16);
	result = call_next(depth, number) + call_next(0, number);
	return result + (unsigned char)room[number & 15];
}

APART static unsigned long call_large(int depth, unsigned long number)
{
	volatile unsigned char room[5000];

	room[number & 1023] = (unsigned char)number;
	return call_next(depth, number) + room[depth & 1023];
}

/* The compiler moves the stack pointer to a multiple. */
APART static unsigned long call_aligned(int depth, unsigned long number)
{
	_Alignas(64) volatile unsigned char room[64];
	unsigned long result;

	room[number & 63] = (unsigned char)number;
	result = call_next(depth, number);
	return result + room[number & 63];
}

/* All registers that a function has to save are in use, the frame pointer among them. */
APART static unsigned long call_many(int depth, unsigned long number)
{
	unsigned long one = sink, two = sink + number, three = sink ^ (unsigned)depth,
		      four = sink * 3;
	unsigned long five = sink - number, six = sink | 1, seven = sink & 7;
	unsigned long result = call_next(depth, one + two);

	return result + one * two + three * four + five * six + seven;
}

static unsigned long sum(int count, ...)
{
	va_list args;
	unsigned long total = 0;

	va_start(args, count);
	while (count-- > 0)
		total += va_arg(args, unsigned long);
	va_end(args);
	return total;
}

APART static unsigned long call_va(int depth, unsigned long number)
{
	return sum(2, call_next(depth, number), number) + number;
}

int main(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		if (round == ROUNDS / 2) {
			unwind_forget();
			trail.count = 0;
		}
		sink += call_next((int)random_below(DEPTH), (unsigned)round);
	}
	printf("# %d rounds, %ld stacks by what is remembered, %ld of them partly those before,\n"
	       "# %ld wrong\n",
	       ROUNDS, hits, joins, wrong);
	printf("1..1\n%sok 1 - as libgcc unwinds\n",
	       wrong || hits < HITS_LEAST || joins < HITS_LEAST / 2 ? "not " : "");
	return 0;
}
