/* SPDX-License-Identifier: MIT */
/*
 * stepper.h - a process that runs one machine instruction at a time, and is killed where its tracer
 * likes. Linux on x86-64 and 64-bit ARM.
 */
#ifndef CRASH_STEPPER_H
#define CRASH_STEPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What the kernel knows of a process's robust mutexes: with the memory it shares this is all that
 * its death leaves to others between two system calls.
 */
struct robust_state {
	uint64_t first; /* of the list of mutexes it holds */
	uint64_t offset;
	uint64_t pending; /* the one it is about to take or leave */
};

struct stepper {
	pid_t pid;
	uint64_t robust; /* address of its robust_state */
	int signal;      /* what stopped it, when it was no step */
};

/* NULL if processes can be stepped here, else why not. */
const char *stepper_refusal(void);

/* Forks; the child runs body(arg) and ends. Returns when it is about to. */
void stepper_start(struct stepper *stepper, void (*body)(void *), void *arg);

/* One instruction; false if something else happened, such as its end. */
bool stepper_step(struct stepper *stepper);

/*
 * On to the given instruction, the arrivals-th time it is about to be executed anew; not counting
 * where it is. By a hardware breakpoint where there is one, else step by step. False as above.
 */
bool stepper_run_to(struct stepper *stepper, uint64_t pc, unsigned arrivals);

uint64_t stepper_pc(const struct stepper *stepper);

/* Whether the next instruction is a system call. */
bool stepper_is_at_system_call(const struct stepper *stepper);

struct robust_state stepper_robust_state(const struct stepper *stepper);

void stepper_kill(struct stepper *stepper);

#endif
