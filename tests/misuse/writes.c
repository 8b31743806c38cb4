/* SPDX-License-Identifier: MIT */
/*
 * writes.c - writes after, before and into freed blocks. A row says which block lies where, which
 * bytes are written, and what is seen of it, without guards and with them. Whatever it was, the
 * heap works on, and only what was written to has changed.
 */
#include "fixture.h"

#include <stdio.h>

/* What lies beside the block, and whether the block itself is freed before the write. */
enum cast {
	BETWEEN_LIVE,    /* live | block | live */
	BEFORE_FREE,     /* live | block | free | live */
	BEFORE_TOP,      /* live | block | never used */
	BEHIND_FREE,     /* live | free | block | live */
	FREED_IN_BIN,    /* live | freed block | live */
	FREED_TWO,       /* the same, and a second one in the same bin */
	FREED_TO_TOP,    /* live | freed block, part of the top */
	FREED_TO_VICTIM, /* live | new | freed block, the victim | live */
};

/* What is seen of it: bits of kinds. */
#define NEVER 0u
#define OVERFLOW (1u << BHEAP_FAULT_OVERFLOW)
#define INDEX (1u << BHEAP_FAULT_DAMAGED_INDEX)
#define WRITTEN (1u << BHEAP_FAULT_WRITTEN_FREE)

struct row {
	const char *name;
	enum cast cast;
	size_t size;    /* of each of the blocks */
	ptrdiff_t from; /* where it writes, from the start of the block; FROM_END: see there */
	size_t count;
	unsigned char byte;
	unsigned plain, guarded;
};

/* So far past the end of what the owner may use. */
#define FROM_END 100000

static const struct row rows[] = {
#define LIVE BETWEEN_LIVE
#define FREE BEFORE_FREE
#define TOP BEFORE_TOP
	{"overflow by 1 into a live block", LIVE, 48, FROM_END, 1, 0xff, NEVER, OVERFLOW},
	{"overflow by 8 into a live block", LIVE, 48, FROM_END, 8, 0xff, NEVER, OVERFLOW},
	{"overflow by 16 into a live block", LIVE, 48, FROM_END, 16, 0xff, NEVER, OVERFLOW},
	{"overflow by 64 into a live block", LIVE, 48, FROM_END, 64, 0xff, NEVER, OVERFLOW},
	{"overflow by a zero byte", LIVE, 48, FROM_END, 1, 0, NEVER, OVERFLOW},
	{"overflow by 1 into the slack", LIVE, 41, FROM_END, 1, 0xff, NEVER, OVERFLOW},
	{"overflow by a zero byte into the slack", LIVE, 41, FROM_END, 1, 0, NEVER, OVERFLOW},
	{"overflow by 7 into the slack", LIVE, 41, FROM_END, 7, 0xff, NEVER, OVERFLOW},
	{"overflow by 8 beyond the slack", LIVE, 41, FROM_END, 8, 0xff, NEVER, OVERFLOW},
	{"overflow of a large block", LIVE, 4096, FROM_END, 8, 0xff, NEVER, OVERFLOW},
	{"overflow of a one-byte block", LIVE, 1, FROM_END, 1, 0xff, NEVER, OVERFLOW},
	{"a byte 8 behind the end", LIVE, 48, FROM_END + 8, 1, 0xff, NEVER, OVERFLOW},
	{"overflow by 1 into a free block", FREE, 48, FROM_END, 1, 0xff, INDEX, OVERFLOW},
	{"overflow by 8 into a free block", FREE, 48, FROM_END, 8, 0xff, INDEX, OVERFLOW},
	{"overflow by 16 into a free block", FREE, 48, FROM_END, 16, 0xff, INDEX, OVERFLOW},
	{"overflow by 64 into a free block", FREE, 48, FROM_END, 64, 0xff, INDEX,
	 OVERFLOW | INDEX | WRITTEN},
	{"overflow by 16 into a large free block", FREE, 2048, FROM_END, 16, 0xff, INDEX, OVERFLOW},
	{"overflow by 1 into the top", TOP, 48, FROM_END, 1, 0xff, NEVER, OVERFLOW},
	{"overflow by 8 into the top", TOP, 48, FROM_END, 8, 0xff, NEVER, OVERFLOW},
	{"overflow by 16 into the top", TOP, 48, FROM_END, 16, 0xff, NEVER, OVERFLOW},
	{"overflow by 64 into the top", TOP, 48, FROM_END, 64, 0xff, NEVER, OVERFLOW | WRITTEN},
	{"underflow by 1 into a live block", LIVE, 64, -1, 1, 0xff, NEVER, OVERFLOW},
	{"underflow by 8 into a live block", LIVE, 64, -8, 8, 0xff, NEVER, OVERFLOW},
	{"underflow by 16 into a live block", LIVE, 64, -16, 16, 0xff, NEVER, OVERFLOW},
	{"underflow by 64 into a live block", LIVE, 64, -64, 64, 0xff, NEVER, OVERFLOW},
	{"underflow by 1 into a free block", BEHIND_FREE, 64, -1, 1, 0xff, NEVER, WRITTEN},
	{"underflow by 8 into a free block", BEHIND_FREE, 64, -8, 8, 0xff, NEVER, WRITTEN},
	{"underflow by 16 into a free block", BEHIND_FREE, 64, -16, 16, 0xff, NEVER, WRITTEN},
	{"underflow by 64 into a free block", BEHIND_FREE, 48, -64, 64, 0xff, INDEX,
	 INDEX | WRITTEN},
	{"freed: its first word", FREED_IN_BIN, 48, 0, 8, 0xff, INDEX, INDEX},
	{"freed: its first link", FREED_IN_BIN, 48, 0, 4, 0xff, INDEX, INDEX},
	{"freed: its second link", FREED_IN_BIN, 48, 4, 4, 0xff, INDEX, INDEX},
	{"freed: one byte of a link", FREED_IN_BIN, 48, 5, 1, 0x10, INDEX, INDEX},
	{"freed: its first granule", FREED_IN_BIN, 48, 0, 16, 0xff, INDEX, INDEX | WRITTEN},
	{"freed: all of it", FREED_IN_BIN, 48, 0, 48, 0xff, INDEX, INDEX | WRITTEN},
	{"freed: its second word", FREED_IN_BIN, 48, 8, 8, 0xff, NEVER, WRITTEN},
	{"freed: its last word", FREED_IN_BIN, 48, 40, 8, 0xff, NEVER, WRITTEN},
	{"freed, in a list: its first link", FREED_TWO, 48, 0, 4, 0, INDEX, INDEX},
	{"freed, in a list: its second link", FREED_TWO, 48, 4, 4, 0xff, INDEX, INDEX},
	{"freed, in a list: all of it", FREED_TWO, 48, 0, 48, 0x41, INDEX, INDEX | WRITTEN},
	{"freed, large: its first word", FREED_IN_BIN, 4096, 0, 8, 0xff, INDEX, INDEX},
	{"freed, large: its size", FREED_IN_BIN, 4096, 8, 4, 0xff, INDEX, INDEX},
	{"freed, large: its size, complemented", FREED_IN_BIN, 4096, 12, 4, 0, INDEX, INDEX},
	{"freed, large: all of it", FREED_IN_BIN, 4096, 0, 4096, 0x41, INDEX, INDEX | WRITTEN},
	{"freed, large: in its middle", FREED_IN_BIN, 4096, 2048, 8, 0xff, NEVER, WRITTEN},
	{"freed, the top: its first word", FREED_TO_TOP, 48, 0, 8, 0xff, NEVER, WRITTEN},
	{"freed, the top: all of it", FREED_TO_TOP, 48, 0, 48, 0xff, NEVER, WRITTEN},
	{"freed, the victim: its first word", FREED_TO_VICTIM, 320, 0, 8, 0xff, NEVER, WRITTEN},
	{"freed, the victim: all of it", FREED_TO_VICTIM, 320, 0, 256, 0xff, NEVER, WRITTEN},
};

#define ROWS ((int)(sizeof(rows) / sizeof(*rows)))

/* ---- the cast ---- */

struct play {
	unsigned char *block;
	const void *before; /* the live block before it, or NULL */
	const void *next;
};

static void play_begin(struct play *play, struct fixture *fixture, const struct row *row)
{
	const void *second;

	*play = (struct play){.before = fixture_keep(fixture, row->size)};
	play->block = fixture_keep(fixture, row->size);
	if (row->cast == BEFORE_TOP || row->cast == FREED_TO_TOP) {
		if (row->cast == FREED_TO_TOP)
			fixture_release(fixture, play->block);
		return;
	}
	play->next = fixture_keep(fixture, row->size);
	second = fixture_keep(fixture, row->size);
	fixture_keep(fixture, 16);
	switch (row->cast) {
	case BEHIND_FREE:
		fixture_release(fixture, play->block);
		play->block = (unsigned char *)(uintptr_t)play->next;
		play->before = NULL;
		break;
	case BEFORE_FREE: fixture_release(fixture, play->next); break;
	case FREED_TWO:
		fixture_release(fixture, second);
		fixture_release(fixture, play->block);
		break;
	case FREED_IN_BIN: fixture_release(fixture, play->block); break;
	case FREED_TO_VICTIM:
		fixture_release(fixture, play->block);
		fixture_keep(fixture, 16);
		play->block += fixture_taken(fixture, 16);
		break;
	default: break;
	}
}

/* Blocks whose content the write hits are no longer what they were. */
static void harm_note(struct fixture *fixture, const unsigned char *from, size_t count)
{
	for (int index = 0; index < FIXTURE_BLOCKS; index++) {
		struct live *live = &fixture->live[index];

		if (live->ptr && from < live->ptr + live->size && live->ptr < from + count)
			live->harmed = true;
	}
}

static void write_bytes(struct fixture *fixture, const struct play *play, const struct row *row)
{
	static unsigned char bytes[4096];
	ptrdiff_t from = row->from;

	if (from >= FROM_END) {
		from += (ptrdiff_t)row->size - FROM_END;
		/* Without guards the slack is the owner's. */
		if (!fixture->guarded)
			from += (ptrdiff_t)(bheap_usable_size(fixture->heap, play->block) -
					    row->size);
	}
	memset(bytes, row->byte, row->count);
	harm_note(fixture, play->block + from, row->count);
	if (row->count == 1)
		memory_change(play->block + from, row->byte);
	else
		memory_scribble(play->block + from, bytes, row->count);
}

/* ---- what is seen ---- */

static unsigned expected(const struct fixture *fixture, const struct row *row)
{
	return fixture->guarded ? row->guarded : row->plain;
}

/* The first byte written is named, and a block that it lies in. */
static void written_names(const struct bheap_fault *fault, const struct play *play,
			  const struct row *row)
{
	const unsigned char *at = play->block + row->from;
	char text[160];

	ck_assert_uint_lt((uintptr_t)at - (uintptr_t)fault->address, fault->size);
	snprintf(text, sizeof(text), "bheap: 0x%jx: written to after free at +%td",
		 (uintmax_t)(uintptr_t)fault->address, at - (const unsigned char *)fault->address);
	ck_assert_str_eq(fault->text, text);
}

/* The checker sees the same without changing anything. */
static void check_sees(struct fixture *fixture, const struct play *play, const struct row *row)
{
	unsigned kinds = expected(fixture, row);
	struct bheap_fault fault;

	errno = 0;
	ck_assert_int_eq(bheap_check(fixture->heap, &fault), kinds ? -1 : 0);
	if (kinds)
		ck_assert_errno(EUCLEAN);
	ck_assert(kinds || !fixture->guarded); /* guards see it all */
	ck_assert_int_eq(fault.kind, kinds & INDEX      ? BHEAP_FAULT_DAMAGED_INDEX
				     : kinds & OVERFLOW ? BHEAP_FAULT_OVERFLOW
				     : kinds & WRITTEN  ? BHEAP_FAULT_WRITTEN_FREE
							: BHEAP_FAULT_NONE);
	if (kinds == WRITTEN)
		written_names(&fault, play, row);
	ck_assert_uint_eq(fixture->faults.count, 0);
}

/* The block whose end was written over, by name. */
static void overflow_names(const struct fixture *fixture, const struct play *play,
			   const struct row *row)
{
	const void *block = row->from < 0 ? play->before : play->block;
	char text[160];

	ck_assert_ptr_eq(fixture->overflow.address, block);
	ck_assert_uint_ge(fixture->overflow.size, row->size);
	ck_assert_uint_lt(fixture->overflow.size, row->size + 16);
	snprintf(text, sizeof(text),
		 "bheap: 0x%jx (%zu bytes): bytes past the block were overwritten",
		 (uintmax_t)(uintptr_t)block, fixture->overflow.size);
	ck_assert_str_eq(fixture->overflow.text, text);
}

static void all_release(struct fixture *fixture)
{
	for (int index = 0; index < FIXTURE_BLOCKS; index++)
		if (fixture->live[index].ptr)
			fixture_release(fixture, fixture->live[index].ptr);
}

/* A merge looks at what a large free block says is its size; with guards first at the pattern. */
static bool is_of_size_alone(const struct row *row)
{
	return row->cast == FREED_IN_BIN && row->size >= 1024 && row->from >= 8 && row->from < 16;
}

static void write_and_go_on(const struct row *row, int place, bool frees_first)
{
	unsigned kinds;
	struct fixture fixture;
	struct play play;

	fixture_begin(&fixture, place);
	play_begin(&play, &fixture, row);
	write_bytes(&fixture, &play, row);
	check_sees(&fixture, &play, row);
	if (frees_first)
		all_release(&fixture);
	fixture_work(&fixture);
	all_release(&fixture);
	kinds = expected(&fixture, row);
	if (frees_first && is_of_size_alone(row))
		kinds = fixture.guarded ? INDEX | WRITTEN : INDEX;
	ck_assert_msg(fixture.seen == kinds, "seen 0x%x instead of 0x%x", fixture.seen, kinds);
	if (fixture.seen & OVERFLOW)
		overflow_names(&fixture, &play, row);
	fixture_work(&fixture);
	fixture_end(&fixture);
}

START_TEST(writes_where_nothing_may_write)
{
	int row = _i % ROWS;

	printf("# %s, %s heap\n", rows[row].name, place_name(_i / ROWS));
	fflush(stdout);
	write_and_go_on(&rows[row], _i / ROWS, false);
}
END_TEST

/* The same when the blocks around are freed at once, and all merges. */
START_TEST(writes_before_all_is_freed)
{
	int row = _i % ROWS;

	printf("# %s, %s heap\n", rows[row].name, place_name(_i / ROWS));
	fflush(stdout);
	write_and_go_on(&rows[row], _i / ROWS, true);
}
END_TEST

/* A resize looks at the guard too. */
START_TEST(overflows_are_seen_by_resizes)
{
	static const int places[] = {PLACE_GUARDED, PLACE_BUFFER};
	static const size_t sizes[] = {8, 48, 4000};
	struct fixture fixture;
	unsigned char *block;

	fixture_begin(&fixture, places[_i / 3]);
	block = bheap_alloc(fixture.heap, 48);
	memset(block, 7, 48);
	fixture_keep(&fixture, 48);
	memory_change(block + 48, 'x');
	block = bheap_realloc(fixture.heap, block, sizes[_i % 3]);
	ck_assert_ptr_nonnull(block);
	ck_assert_uint_eq(block[7], 7);
	ck_assert_uint_eq(fixture.faults.count, 1);
	ck_assert_int_eq(fixture.faults.last.kind, BHEAP_FAULT_OVERFLOW);
	/* And sealed anew. */
	ck_assert_int_eq(bheap_check(fixture.heap, NULL), 0);
	ck_assert_int_eq(fixture_free(&fixture, block), 0);
	ck_assert_uint_eq(fixture.faults.count, 1);
	fixture_work(&fixture);
	fixture_end(&fixture);
}
END_TEST

/* The byte that ends a string one too long, whatever the seal happens to be. */
START_TEST(a_zero_byte_never_passes)
{
	unsigned count = 0;
	struct fixture fixture;
	unsigned char *block;

	fixture_begin(&fixture, PLACE_GUARDED);
	while ((block = bheap_alloc(fixture.heap, 16))) {
		memory_scribble(block + 16, "", 1);
		count++;
	}
	ck_assert_uint_ge(count, 1500);
	heap_empty(fixture.heap);
	ck_assert_uint_eq(fixture.faults.count, count);
	fixture_end(&fixture);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("writes", &tcase, 20);

	tcase_add_unchecked_fixture(tcase, fixture_rehearse, NULL);
	tcase_add_loop_test(tcase, writes_where_nothing_may_write, 0, ROWS * PLACES);
	tcase_add_loop_test(tcase, writes_before_all_is_freed, 0, ROWS * PLACES);
	tcase_add_loop_test(tcase, overflows_are_seen_by_resizes, 0, 6);
	tcase_add_test(tcase, a_zero_byte_never_passes);
	return suite_run(suite);
}
