/* SPDX-License-Identifier: MIT */
/*
 * stepper.c - ptrace(2). Ends the program when the tracing itself fails.
 */
#include "stepper.h"

#include <elf.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/annotate.h"

#if defined(__x86_64__)
#define SYSTEM_CALL UINT32_C(0x050f)
#define SYSTEM_CALL_MASK UINT32_C(0xffff)
#define PC_OFFSET offsetof(struct user_regs_struct, rip)

static const char *machine_refusal(void)
{
	return NULL;
}

/* The first debug register, or none (0), stops the process before an instruction. */
static bool breakpoint_set(pid_t pid, uint64_t pc)
{
	const uint64_t control = pc ? 1 : 0;

	return !ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[0]), pc) &&
	       !ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), control);
}
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#define SYSTEM_CALL UINT32_C(0xd4000001)
#define SYSTEM_CALL_MASK UINT32_C(0xffffffff)
#define PC_OFFSET offsetof(struct user_regs_struct, pc)

/* Between a load-exclusive and its store no stop may lie: the store would fail for ever. */
static const char *machine_refusal(void)
{
	return getauxval(AT_HWCAP) & HWCAP_ATOMICS ? NULL : "the processor has no LSE atomics";
}

static bool breakpoint_set(pid_t pid, uint64_t pc)
{
	(void)pid;
	return !pc;
}
#else
#define SYSTEM_CALL 0
#define SYSTEM_CALL_MASK 0
#define PC_OFFSET 0

static const char *machine_refusal(void)
{
	return "stepping is not written for this machine";
}

static bool breakpoint_set(pid_t pid, uint64_t pc)
{
	(void)pid;
	return !pc;
}
#endif

extern void __tsan_init(void) __attribute__((weak));

static int process_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err(1, "waitpid");
	return status;
}

const char *stepper_refusal(void)
{
	pid_t pid;
	int status;

	if (machine_refusal())
		return machine_refusal();
	if (bh_annotate_wanted() || __tsan_init)
		return "it would step through Valgrind or a sanitizer";
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	status = process_wait(pid);
	if (!WIFSTOPPED(status))
		return "ptrace() is not permitted";
	ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL);
	status = process_wait(pid);
	kill(pid, SIGKILL);
	process_wait(pid);
	return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP ? NULL
								 : "there is no single-stepping";
}

void stepper_start(struct stepper *stepper, void (*body)(void *), void *arg)
{
	size_t length;

	*stepper = (struct stepper){.pid = fork()};
	if (stepper->pid < 0)
		err(1, "fork");
	if (!stepper->pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			err(1, "PTRACE_TRACEME");
		body(arg);
		_exit(0);
	}
	if (!WIFSTOPPED(process_wait(stepper->pid)))
		errx(1, "the worker ended before it began");
	if (ptrace(PTRACE_SETOPTIONS, stepper->pid, NULL, PTRACE_O_EXITKILL))
		err(1, "PTRACE_SETOPTIONS");
	if (syscall(SYS_get_robust_list, stepper->pid, &stepper->robust, &length))
		err(1, "get_robust_list");
}

static bool resume(struct stepper *stepper, enum __ptrace_request how)
{
	int status;

	if (ptrace(how, stepper->pid, NULL, NULL))
		err(1, "ptrace");
	status = process_wait(stepper->pid);
	stepper->signal = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
	if (!WIFSTOPPED(status))
		stepper->pid = 0;
	return stepper->signal == SIGTRAP;
}

bool stepper_step(struct stepper *stepper)
{
	return resume(stepper, PTRACE_SINGLESTEP);
}

/*
 * An instruction that repeats itself stops a single-stepped process each time, but is one arrival.
 */
static bool step_to(struct stepper *stepper, uint64_t pc)
{
	uint64_t at = stepper_pc(stepper), before;

	do {
		before = at;
		if (!stepper_step(stepper))
			return false;
		at = stepper_pc(stepper);
	} while (at != pc || before == pc);
	return true;
}

bool stepper_run_to(struct stepper *stepper, uint64_t pc, unsigned arrivals)
{
	bool stops = breakpoint_set(stepper->pid, pc), going = true;

	while (going && arrivals--)
		going = stops ? resume(stepper, PTRACE_CONT) : step_to(stepper, pc);
	if (going)
		breakpoint_set(stepper->pid, 0);
	return going;
}

uint64_t stepper_pc(const struct stepper *stepper)
{
	unsigned char registers[1024];
	struct iovec into = {registers, sizeof(registers)};
	uint64_t pc;

	if (ptrace(PTRACE_GETREGSET, stepper->pid, NT_PRSTATUS, &into))
		err(1, "PTRACE_GETREGSET");
	memcpy(&pc, registers + PC_OFFSET, sizeof(pc));
	return pc;
}

static bool memory_read(const struct stepper *stepper, uint64_t address, void *into, size_t size)
{
	struct iovec local = {into, size}, remote = {(void *)(uintptr_t)address, size};

	return process_vm_readv(stepper->pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

bool stepper_is_at_system_call(const struct stepper *stepper)
{
	uint32_t instruction = 0;

	/* Two bytes may be all there is before the end of a page. */
	if (!memory_read(stepper, stepper_pc(stepper), &instruction, sizeof(instruction)))
		memory_read(stepper, stepper_pc(stepper), &instruction, sizeof(instruction) / 2);
	return (instruction & SYSTEM_CALL_MASK) == SYSTEM_CALL;
}

struct robust_state stepper_robust_state(const struct stepper *stepper)
{
	struct robust_state state = {0};

	if (!memory_read(stepper, stepper->robust, &state, sizeof(state)))
		err(1, "process_vm_readv");
	return state;
}

void stepper_kill(struct stepper *stepper)
{
	if (!stepper->pid)
		return;
	if (kill(stepper->pid, SIGKILL))
		err(1, "kill");
	process_wait(stepper->pid);
	stepper->pid = 0;
}
