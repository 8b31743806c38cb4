/* SPDX-License-Identifier: MIT */
/*
 * test_fault.c - reports: their text to the letter, which handler gets them, and when they abort.
 */
#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "os/fault.h"

#include "os/setting.h"

/* ---- text ---- */

#if UINTPTR_MAX > 0xffffffff
#define LARGEST "0xffffffffffffffff"
#else
#define LARGEST "0xffffffff"
#endif

START_TEST(texts)
{
	static const struct {
		enum bheap_fault_kind kind;
		uintptr_t address;
		size_t size;
		const char *detail, *text;
		uintptr_t at;
	} rows[] = {
		{BHEAP_FAULT_NONE, 0, 0, NULL, "bheap: no fault", 0},
		{BHEAP_FAULT_NOT_A_BLOCK, 0x10, 0, "outside the heap",
		 "bheap: 0x10: not the start of a block: outside the heap", 0},
		{BHEAP_FAULT_NOT_A_BLOCK, 0xabcdef0, 48, "inside one",
		 "bheap: 0xabcdef0 (48 bytes): not the start of a block: inside one", 0},
		{BHEAP_FAULT_DOUBLE_FREE, UINTPTR_MAX, SIZE_MAX, NULL,
		 "bheap: " LARGEST ": the block is free already", 0},
		{BHEAP_FAULT_OVERFLOW, 0x7f001000, 100, NULL,
		 "bheap: 0x7f001000 (100 bytes): bytes past the block were overwritten", 0},
		{BHEAP_FAULT_DAMAGED_INDEX, 0, 7, "x", "bheap: the index is damaged: x", 0},
		{BHEAP_FAULT_DAMAGED_INDEX, 0x10, 64, NULL, "bheap: 0x10: the index is damaged", 0},
		{BHEAP_FAULT_DAMAGED_MAP, 0, 0, NULL, "bheap: the block map is damaged", 0},
		{BHEAP_FAULT_COUNT, 0, 0, NULL, "bheap: a counter disagrees with the block map", 0},
		{BHEAP_FAULT_RECOVERED, 0, 0, NULL,
		 "bheap: death or fork cut an operation off; the heap was rebuilt", 0},
		{BHEAP_FAULT_BAD_FILE, 0, 0, "it is not a heap",
		 "bheap: not a usable heap file: it is not a heap", 0},
		{BHEAP_FAULT_WRITTEN_FREE, 0x7f001000, 64, NULL,
		 "bheap: 0x7f001000: written to after free at +9", 0x7f001009},
	};
	const bheap_t *heap = (const bheap_t *)(const void *)&rows;
	struct bheap_fault fault;

	bh_fault_describe(&fault, rows[_i].kind, heap, (const void *)rows[_i].address,
			  rows[_i].size, rows[_i].detail, (const void *)rows[_i].at);
	ck_assert_str_eq(fault.text, rows[_i].text);
	ck_assert_int_eq(fault.kind, rows[_i].kind);
	ck_assert_ptr_eq(fault.heap, heap);
	ck_assert_ptr_eq(fault.address, (const void *)rows[_i].address);
	ck_assert_uint_eq(fault.size, rows[_i].size);
}
END_TEST

/* The longest text of each kind, for the largest block at the highest address, and its last byte.
 */
static const struct {
	enum bheap_fault_kind kind;
	bool has_address, has_size, has_byte;
	const char *detail;
} longest[] = {
	{BHEAP_FAULT_NOT_A_BLOCK, true, false, false, "outside the heap"},
	{BHEAP_FAULT_NOT_A_BLOCK, true, true, false, "inside one"},
	{BHEAP_FAULT_DOUBLE_FREE, true, true, false, NULL},
	{BHEAP_FAULT_OVERFLOW, true, true, false, NULL},
	{BHEAP_FAULT_OVERFLOW, false, false, false, "those in front of the first block"},
	{BHEAP_FAULT_DAMAGED_INDEX, true, true, false, "a boundary tag differs from the map"},
	{BHEAP_FAULT_DAMAGED_INDEX, false, false, false,
	 "found when it was opened; rebuilt, nothing is lost"},
	{BHEAP_FAULT_DAMAGED_MAP, true, false, false, "two free blocks are neighbours"},
	{BHEAP_FAULT_DAMAGED_MAP, false, false, false,
	 "after a death in an operation; not rebuilt"},
	{BHEAP_FAULT_COUNT, false, false, false, "the bytes in use are miscounted"},
	{BHEAP_FAULT_RECOVERED, false, false, false, "at its opening"},
	{BHEAP_FAULT_BAD_FILE, false, false, false,
	 "its block map is not the one it was closed with"},
	{BHEAP_FAULT_WRITTEN_FREE, true, true, true, NULL},
	{BHEAP_FAULT_WRITTEN_FREE, true, true, false, "or freed twice"},
};
#define LONGEST ((int)(sizeof(longest) / sizeof(*longest)))

START_TEST(a_line_has_80_columns_at_most)
{
	uintptr_t address = (uintptr_t)UINT64_C(0x7ffffffffff0);
	size_t size = BHEAP_SIZE_MAX;
	struct bheap_fault fault;

	bh_fault_describe(&fault, longest[_i].kind, NULL,
			  longest[_i].has_address ? (const void *)address : NULL,
			  longest[_i].has_size ? size : 0, longest[_i].detail,
			  longest[_i].has_byte ? (const void *)(address + size - 1) : NULL);
	ck_assert_msg(strlen(fault.text) <= 80, "%s", fault.text);
}
END_TEST

START_TEST(a_long_text_is_cut)
{
	char detail[500] = "";
	struct bheap_fault fault = {0};

	memset(detail, 'x', sizeof(detail) - 1);
	bh_fault_describe(&fault, BHEAP_FAULT_BAD_FILE, NULL, &fault, 1, detail, NULL);
	ck_assert_uint_eq(strlen(fault.text), sizeof(fault.text) - 1);
}
END_TEST

/* ---- hearers ---- */

static const struct bheap_fault a_fault = {.kind = BHEAP_FAULT_COUNT, .text = "bheap: some text"};

START_TEST(own_handler_before_the_general_one)
{
	struct faults own = {0}, general = {0};
	struct bh_fault_sink sink = {.handler = faults_record, .arg = &own};

	bh_fault_set_default(faults_record, &general);
	errno = ENOTTY;
	bh_fault_report(&sink, &a_fault);
	ck_assert_errno(ENOTTY);
	ck_assert_uint_eq(own.count, 1);
	ck_assert_uint_eq(general.count, 0);
	ck_assert_str_eq(own.last.text, a_fault.text);
	sink.handler = NULL;
	bh_fault_report(&sink, &a_fault);
	ck_assert_uint_eq(own.count, 1);
	ck_assert_uint_eq(general.count, 1);
	ck_assert_int_eq(general.last.kind, BHEAP_FAULT_COUNT);
}
END_TEST

static int report(void *arg)
{
	errno = ENOTTY;
	bh_fault_report(arg, &a_fault);
	return errno == ENOTTY ? 0 : 1;
}

START_TEST(without_handlers_a_line_to_standard_error)
{
	struct bh_fault_sink sink = {0};
	struct child child;

	child_run(&child, report, &sink);
	child_assert_exited(&child, 0);
	child_assert_said(&child, "bheap: some text\n");
	ck_assert_str_eq(child.out, "");
}
END_TEST

START_TEST(the_longest_line)
{
	struct bh_fault_sink sink = {0};
	struct bheap_fault fault = {.kind = BHEAP_FAULT_COUNT};
	char expected[sizeof(fault.text) + 1];
	int ends[2], saved = dup(STDERR_FILENO);
	char line[2 * sizeof(fault.text)];

	memset(fault.text, 'x', sizeof(fault.text) - 1);
	snprintf(expected, sizeof(expected), "%s\n", fault.text);
	ck_assert_int_eq(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	bh_fault_report(&sink, &fault);
	dup2(saved, STDERR_FILENO);
	ck_assert_int_eq(read(ends[0], line, sizeof(line)), sizeof(expected) - 1);
	ck_assert_mem_eq(line, expected, sizeof(expected) - 1);
}
END_TEST

static int report_to_nowhere(void *arg)
{
	close(STDERR_FILENO);
	return report(arg);
}

START_TEST(standard_error_may_be_closed)
{
	struct bh_fault_sink sink = {0};
	struct child child;

	child_run(&child, report_to_nowhere, &sink);
	child_assert_exited(&child, 0);
}
END_TEST

static int report_through_pipe(void *arg)
{
	int ends[2];

	if (pipe(ends) || dup2(ends[1], STDERR_FILENO) < 0)
		return 2;
	close(ends[0]);
	signal(SIGPIPE, SIG_IGN);
	return report(arg);
}

static int full_pipe;

static void pipe_drain(int signal)
{
	static char bytes[65536];

	(void)signal;
	if (read(full_pipe, bytes, sizeof(bytes)) < 0)
		_exit(3);
}

/* The pipe is full; the signal that interrupts the write makes room. */
static int report_when_interrupted(void *arg)
{
	const struct sigaction action = {.sa_handler = pipe_drain};
	char line[64] = "";
	int ends[2];

	if (pipe(ends) || dup2(ends[1], STDERR_FILENO) < 0)
		return 2;
	full_pipe = ends[0];
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	while (write(ends[1], ".", 1) > 0)
		;
	fcntl(ends[1], F_SETFL, 0);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 50000}}, NULL);
	if (report(arg))
		return 1;
	return read(full_pipe, line, sizeof(line)) > 0 && !strcmp(line, "bheap: some text\n") ? 0
											      : 4;
}

START_TEST(a_signal_does_not_cut_the_line)
{
	struct bh_fault_sink sink = {0};
	struct child child;

	child_run(&child, report_when_interrupted, &sink);
	child_assert_exited(&child, 0);
}
END_TEST

START_TEST(standard_error_may_be_a_broken_pipe)
{
	struct bh_fault_sink sink = {0};
	struct child child;

	child_run(&child, report_through_pipe, &sink);
	child_assert_exited(&child, 0);
}
END_TEST

/* ---- abort ---- */

START_TEST(a_flag_aborts_after_the_report)
{
	struct bh_fault_sink sink = {.aborts = true};
	struct child child;

	child_run(&child, report, &sink);
	child_assert_killed(&child, SIGABRT);
	child_assert_said(&child, "bheap: some text\n");
}
END_TEST

START_TEST(the_environment_aborts)
{
	static const struct {
		const char *value;
		bool aborts;
	} rows[] = {{"1", true}, {"yes", true}, {"0", false}, {"", false}};
	struct bh_fault_sink sink = {0};
	struct child child;

	setenv("BHEAP_ABORT", rows[_i].value, 1);
	bh_setting_read();
	child_run(&child, report, &sink);
	if (rows[_i].aborts)
		child_assert_killed(&child, SIGABRT);
	else
		child_assert_exited(&child, 0);
	child_assert_said(&child, "bheap: some text\n");
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("fault", &tcase, 10);

	tcase_add_loop_test(tcase, texts, 0, 12);
	tcase_add_loop_test(tcase, a_line_has_80_columns_at_most, 0, LONGEST);
	tcase_add_test(tcase, a_long_text_is_cut);
	tcase_add_test(tcase, own_handler_before_the_general_one);
	tcase_add_test(tcase, without_handlers_a_line_to_standard_error);
	tcase_add_test(tcase, the_longest_line);
	tcase_add_test(tcase, standard_error_may_be_closed);
	tcase_add_test(tcase, standard_error_may_be_a_broken_pipe);
	tcase_add_test(tcase, a_signal_does_not_cut_the_line);
	tcase_add_test(tcase, a_flag_aborts_after_the_report);
	tcase_add_loop_test(tcase, the_environment_aborts, 0, 4);
	return suite_run(suite);
}
