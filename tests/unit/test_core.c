/* SPDX-License-Identifier: MIT */
/*
 * test_core.c - core/core.c: an empty heap, and blocks found by their address; core/assert.h:
 * broken preconditions.
 */
#include "box.h"

#include <signal.h>

#include "core/alloc.h"

#define SPAN 4000

#ifdef BH_ASSERTIONS
#define ASSERTIONS true
#else
#define ASSERTIONS false
#endif

static struct box box;

static void setup(void)
{
	box_make(&box, SPAN, BH_BIN_SHIFT_MAX);
}

static void teardown(void)
{
	box_end(&box);
}

START_TEST(new_heap_is_one_block)
{
	box_expect_blocks(&box, -SPAN);
	ck_assert_uint_eq(bh_core_size(&box.core), SPAN * BH_GRANULE);
	ck_assert_uint_eq(box.core.control->top, BH_FIRST);
}
END_TEST

START_TEST(find_knows_blocks_from_other_addresses)
{
	uint32_t block = box_alloc(&box, 4);
	char *address = bh_core_address(&box.core, block);

	ck_assert_uint_eq(bh_core_find(&box.core, address), block);
	for (int offset = 1; offset < 128; offset++)
		ck_assert_uint_eq(bh_core_find(&box.core, address + offset), 0);
	ck_assert_uint_eq(bh_core_find(&box.core, address - BH_GRANULE), 0);
	ck_assert_uint_eq(bh_core_find(&box.core, NULL), 0);
	ck_assert_uint_eq(bh_core_find(&box.core, bh_core_start(&box.core) + SPAN * BH_GRANULE), 0);
	box_free(&box, block);
	ck_assert_uint_eq(bh_core_find(&box.core, address), 0);
}
END_TEST

/* The start of a block is found by the map where the top is not to be trusted. */
START_TEST(the_top_is_no_block)
{
	uint32_t first = box_alloc(&box, 40), second = box_alloc(&box, 40);
	const uint32_t tops[] = {0, first + 1};

	box.core.control->top = tops[_i];
	ck_assert_uint_eq(bh_core_block_at(&box.core, first + 39), first);
	ck_assert_uint_eq(bh_core_block_at(&box.core, second), second);
	ck_assert_uint_eq(bh_core_block_at(&box.core, second + 39), second);
	ck_assert_uint_eq(bh_core_block_at(&box.core, second + 41), second + 40);
}
END_TEST

/* ---- assertions ---- */

static int free_a_free_block(void)
{
	bh_map_clear_used(&box.core.map, BH_FIRST);
	return 0;
}

static int allocate_no_granules(void)
{
	bh_alloc_block(&box.core, 0);
	return 0;
}

static int round_up_to_no_power_of_two(void)
{
	return bh_round_up(0, 3) != 0;
}

static int precondition_break(void *arg)
{
	int (*const *body)(void) = arg;

	return (*body)();
}

/* A library without assertions goes on, here without harm. */
START_TEST(a_broken_precondition_aborts)
{
	static const struct {
		int (*body)(void);
		const char *said;
	} mistakes[] = {
		{free_a_free_block, "bh_map_clear_used: Assertion"},
		{allocate_no_granules, "bh_alloc_block: Assertion"},
		{round_up_to_no_power_of_two, "bh_round_up: Assertion"},
	};
	int (*body)(void) = mistakes[_i].body;
	struct child child;

	child_run(&child, precondition_break, &body);
	if (!ASSERTIONS) {
		child_assert_exited(&child, 0);
		child_assert_said(&child, "");
		return;
	}
	child_assert_killed(&child, SIGABRT);
	ck_assert_ptr_nonnull(strstr(child.err, mistakes[_i].said));
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("core", &tcase, 30);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, new_heap_is_one_block);
	tcase_add_test(tcase, find_knows_blocks_from_other_addresses);
	tcase_add_loop_test(tcase, the_top_is_no_block, 0, 2);
	tcase_add_loop_test(tcase, a_broken_precondition_aborts, 0, 3);
	return suite_run(suite);
}
