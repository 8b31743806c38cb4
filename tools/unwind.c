/* SPDX-License-Identifier: MIT */
/*
 * unwind.c - see unwind.h. On x86 a return address lies right below the frame of its function, the
 * CFA. That is a constant away from the stack pointer or from the frame pointer, and the caller's
 * frame pointer is unchanged or lies a constant below the CFA: which of these holds at a return
 * address, libgcc's steps there tell by elimination. A step is taken without libgcc only where all
 * that is still possible comes to the same. What does not fit (signals, realigned stacks) has no
 * rule, and libgcc unwinds each such stack. Other machines have no rules at all.
 */
#include "unwind.h"

#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unwind.h>

#define WORD sizeof(uintptr_t)
#define RULES ((size_t)1 << 16)
#define RULES_FULL (RULES / 4 * 3)
#define STEP_MOST ((uintptr_t)1 << 24) /* a frame that is larger has no rule */
#define SAVED_WORDS 15                 /* below a return address: where a frame pointer may be */

#if defined(__x86_64__)
enum { HAS_RULES = true, FRAME_POINTER = 6 };
#define INSTRUCTION(context) (context)->uc_mcontext.gregs[REG_RIP]
#define STACK(context) (context)->uc_mcontext.gregs[REG_RSP]
#define FRAME(context) (context)->uc_mcontext.gregs[REG_RBP]
#elif defined(__i386__)
enum { HAS_RULES = true, FRAME_POINTER = 5 };
#define INSTRUCTION(context) (context)->uc_mcontext.gregs[REG_EIP]
#define STACK(context) (context)->uc_mcontext.gregs[REG_ESP]
#define FRAME(context) (context)->uc_mcontext.gregs[REG_EBP]
#else
enum { HAS_RULES = false, FRAME_POINTER = 0 };
#define STACK(context) 0
#define FRAME(context) 0
#ifdef __aarch64__
#define INSTRUCTION(context) (context)->uc_mcontext.pc
#else
#define INSTRUCTION(context) -1 /* not known: none is here */
#endif
#endif

enum { CFA_BY_SP = 1, CFA_BY_BP = 2 };
enum { BP_UNCHANGED = 1 }; /* bit n: it is the n-th word below the return address */

struct rule {
	uintptr_t ip; /* 0: none */
	uintptr_t from_sp, from_bp;
	uint16_t saved; /* what is possible still; 0: none of it */
	uint8_t cfa;    /* the same */
	bool outermost;
};

/* Under the lock. */
static struct rule *rules;
static size_t rule_count;

/* Of a stack, whose words may belong to anything. */
__attribute__((no_sanitize_address)) static uintptr_t word_at(uintptr_t address)
{
	return *(const uintptr_t *)address;
}

/* ---- rules ---- */

/* The rule of a return address, or where it would be; NULL: there is no room. */
static struct rule *rule_find(uintptr_t ip)
{
	size_t place = (size_t)((uint64_t)ip * UINT64_C(0x9e3779b97f4a7c15) >> 48);

	if (!rules || ip < WORD)
		return NULL;
	while (rules[place % RULES].ip && rules[place % RULES].ip != ip)
		place++;
	return &rules[place % RULES];
}

static bool rules_make(void)
{
	void *made;

	if (rules)
		return true;
	made = mmap(NULL, RULES * sizeof(*rules), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (made != MAP_FAILED)
		rules = made;
	return rules;
}

void unwind_forget(void)
{
	if (rules)
		memset(rules, 0, RULES * sizeof(*rules));
	rule_count = 0;
}

/* ---- what libgcc's steps tell ---- */

static uint16_t saved_possible(const struct unwind_frame *frame, const struct unwind_frame *next)
{
	uint16_t possible = frame->bp == next->bp ? BP_UNCHANGED : 0;

	for (unsigned word = 1; word <= SAVED_WORDS; word++) {
		uintptr_t place = next->sp - WORD - word * WORD;

		if (place >= frame->sp && word_at(place) == next->bp)
			possible |= (uint16_t)(1U << word);
	}
	return possible;
}

static uint8_t cfa_possible(const struct unwind_frame *frame, const struct unwind_frame *next)
{
	uintptr_t cfa = next->sp;

	if (cfa <= frame->sp || cfa - frame->sp > STEP_MOST || word_at(cfa - WORD) != next->ip)
		return 0;
	return CFA_BY_SP | (cfa - frame->bp <= STEP_MOST ? CFA_BY_BP : 0);
}

static void step_learn(struct rule *rule, const struct unwind_frame *frame,
		       const struct unwind_frame *next)
{
	uint8_t cfa = cfa_possible(frame, next);
	uint16_t saved = cfa ? saved_possible(frame, next) : 0;

	if (!rule->ip) {
		*rule = (struct rule){frame->ip,  next->sp - frame->sp,  next->sp - frame->bp,
				      UINT16_MAX, CFA_BY_SP | CFA_BY_BP, false};
		rule_count++;
	}
	if (rule->outermost || rule->from_sp != next->sp - frame->sp)
		cfa &= (uint8_t)~CFA_BY_SP;
	if (rule->outermost || rule->from_bp != next->sp - frame->bp)
		cfa &= (uint8_t)~CFA_BY_BP;
	rule->cfa &= cfa;
	rule->saved &= saved;
	rule->outermost = false;
}

/* An address at which some stacks end and others do not has no rule. */
static void end_learn(struct rule *rule, const struct unwind_frame *frame)
{
	if (!rule->ip) {
		*rule = (struct rule){.ip = frame->ip, .outermost = true};
		rule_count++;
	}
	rule->cfa = 0;
}

void unwind_learn(const struct unwind_stack *stack)
{
	if (!HAS_RULES || !rules_make())
		return;
	for (size_t index = 0; index < stack->count && rule_count < RULES_FULL; index++) {
		const struct unwind_frame *frame = &stack->frames[index];
		struct rule *rule = rule_find(frame->ip);

		if (rule && index + 1 < stack->count)
			step_learn(rule, frame, frame + 1);
		else if (rule && stack->whole)
			end_learn(rule, frame);
	}
}

/* ---- unwinding by rules ---- */

/* A frame pointer that is not known: no frame lies there. */
#define UNKNOWN ((uintptr_t)1)

/* Where a frame ends; 0: not known. */
static uintptr_t step_cfa(const struct rule *rule, const struct unwind_frame *frame)
{
	uintptr_t by_sp = frame->sp + rule->from_sp, by_bp = frame->bp + rule->from_bp;

	if (rule->cfa == CFA_BY_SP)
		return by_sp;
	if (!rule->cfa || frame->bp == UNKNOWN)
		return 0;
	return rule->cfa == CFA_BY_BP || by_sp == by_bp ? by_bp : 0;
}

static uintptr_t step_bp(unsigned possible, uintptr_t bp, uintptr_t cfa)
{
	uintptr_t found = bp;

	if (possible == BP_UNCHANGED)
		return bp;
	if (!possible)
		return UNKNOWN;
	if (!(possible & BP_UNCHANGED))
		found = word_at(cfa - WORD - (unsigned)__builtin_ctz(possible) * WORD);
	for (possible &= ~1U; possible; possible &= possible - 1)
		if (word_at(cfa - WORD - (unsigned)__builtin_ctz(possible) * WORD) != found)
			return UNKNOWN;
	return found;
}

static bool frame_is_at(const struct unwind_frame *frame, const struct unwind_mark *mark)
{
	return mark->frame.sp == frame->sp && mark->frame.ip == frame->ip &&
	       (!mark->needs_bp || mark->frame.bp == frame->bp);
}

/* True if the caller that a mark had is its caller still. */
static bool caller_stays(const struct unwind_mark *mark, const struct unwind_mark *caller)
{
	const struct unwind_frame *frame = &caller->frame;

	return word_at(frame->sp - WORD) == frame->ip &&
	       (!caller->needs_bp ||
		step_bp(caller->saved, mark->frame.bp, frame->sp) == frame->bp);
}

/*
 * How many marks of a trail, from the outermost on, are the frame and its callers; else 0. left:
 * those that are not known to be others by now.
 */
static size_t trail_join(const struct unwind_trail *trail, const struct unwind_frame *frame,
			 size_t *left)
{
	const struct unwind_mark *marks = trail->marks;
	size_t joined, mark;

	while (*left && marks[*left - 1].frame.sp < frame->sp)
		--*left;
	joined = *left;
	if (!joined || !frame_is_at(frame, &marks[joined - 1]))
		return 0;
	for (mark = joined - 1; mark && caller_stays(&marks[mark], &marks[mark - 1]); mark--)
		;
	*left = mark;
	return mark ? 0 : joined;
}

bool unwind_by_rules(struct unwind_stack *stack, struct unwind_frame from, uintptr_t top,
		     const struct unwind_trail *trail)
{
	struct unwind_frame frame = from;
	struct unwind_pointer pointer = {0};
	size_t left = trail->count && trail->marks[0].frame.sp <= top ? trail->count : 0;

	for (stack->count = 0; stack->count < UNWIND_MOST;) {
		const struct rule *rule;
		uintptr_t cfa;

		/* The outermost calls of a stack that is too deep may be others. */
		if (left > UNWIND_MOST - stack->count)
			left = 0;
		stack->pointers[stack->count] = pointer;
		stack->joined = trail_join(trail, &frame, &left);
		stack->whole = stack->joined;
		if (stack->whole)
			return true;
		rule = rule_find(frame.ip);
		stack->frames[stack->count++] = frame;
		if (!rule || !rule->ip)
			return false;
		stack->whole = rule->outermost;
		if (stack->whole)
			return true;
		stack->pointers[stack->count - 1].tells = rule->cfa != CFA_BY_SP;
		cfa = step_cfa(rule, &frame);
		if (cfa <= frame.sp || cfa - frame.sp > STEP_MOST || cfa > top || cfa % WORD)
			return false;
		frame = (struct unwind_frame){word_at(cfa - WORD), cfa,
					      step_bp(rule->saved, frame.bp, cfa)};
		pointer.saved = rule->saved;
	}
	return true;
}

static void mark_add(struct unwind_trail *trail, struct unwind_frame frame,
		     struct unwind_pointer pointer)
{
	const struct unwind_mark *caller = trail->count ? &trail->marks[trail->count - 1] : NULL;
	bool passes = caller && caller->needs_bp && caller->saved & BP_UNCHANGED;

	trail->marks[trail->count++] = (struct unwind_mark){
		.frame = frame, .saved = pointer.saved, .needs_bp = pointer.tells || passes};
}

void unwind_follow(struct unwind_trail *trail, const struct unwind_stack *stack)
{
	trail->count = stack->joined;
	if (stack->joined)
		trail->marks[stack->joined - 1].saved = stack->pointers[stack->count].saved;
	for (size_t left = stack->count; left; left--)
		mark_add(trail, stack->frames[left - 1], stack->pointers[left - 1]);
}

/* ---- unwinding by libgcc ---- */

struct walk {
	struct unwind_stack *stack;
	uintptr_t from;
	bool begun;
};

static uintptr_t frame_pointer(struct _Unwind_Context *context)
{
	return HAS_RULES ? (uintptr_t)_Unwind_GetGR(context, FRAME_POINTER) : 0;
}

/* The calls inside this library come first. An address of 0 is what a thread begins with. */
static _Unwind_Reason_Code frame_take(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	struct unwind_stack *stack = walk->stack;
	int is_interrupted = 0;
	uintptr_t ip = (uintptr_t)_Unwind_GetIPInfo(context, &is_interrupted);

	/* As unwind_interrupted() has it. */
	if (is_interrupted && ip)
		ip++;
	walk->begun = walk->begun || ip == walk->from;
	if (!walk->begun || !ip)
		return _URC_NO_REASON;
	if (stack->count == UNWIND_MOST) {
		stack->whole = false;
		return _URC_END_OF_STACK;
	}
	stack->frames[stack->count++] = (struct unwind_frame){
		ip, (uintptr_t)_Unwind_GetCFA(context), frame_pointer(context)};
	return _URC_NO_REASON;
}

void unwind_by_library(struct unwind_stack *stack, struct unwind_frame from)
{
	struct walk walk = {.stack = stack, .from = from.ip};

	stack->count = stack->joined = 0;
	stack->whole = true;
	_Unwind_Backtrace(frame_take, &walk);
}

/* A frame begins with the caller's frame pointer and the return address. */
__attribute__((no_sanitize_address)) struct unwind_frame unwind_caller(const void *frame,
								       const void *return_address)
{
	const uintptr_t *words = frame;

	return (struct unwind_frame){
		(uintptr_t)__builtin_extract_return_addr((void *)(uintptr_t)return_address),
		(uintptr_t)(words + 2),
		HAS_RULES ? words[0] : 0,
	};
}

struct unwind_frame unwind_interrupted(const void *context)
{
	const ucontext_t *machine = context;

	(void)machine;
	return (struct unwind_frame){(uintptr_t)INSTRUCTION(machine) + 1, (uintptr_t)STACK(machine),
				     (uintptr_t)FRAME(machine)};
}
