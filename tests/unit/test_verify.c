/* SPDX-License-Identifier: MIT */
/*
 * test_verify.c - the checker: each invariant is broken in turn by one poke, exactly that finding
 * is expected, and a rebuild (where one can help) makes the heap whole again.
 */
#include "support.h"

#include "core/verify.h"
#include "core/rebuild.h"
#include "handle/handle.h"

static bheap_t *heap;
static struct bh_core *blocks;
static struct bh_control *control;
static uint32_t row[12]; /* blocks in address order; the even ones are used */
static struct faults faults;

static uint32_t granule_of(const void *ptr)
{
	return bh_core_find(blocks, ptr);
}

/*
 * Used and free by turns, free blocks of 6, 6, 6, 190, 2 (the victim) granules, and the top: bins
 * with one and with several blocks, large and small.
 */
static void heap_fill(void)
{
	static const size_t sizes[] = {3, 6, 1, 6, 1, 6, 2, 190, 1, 5, 1};
	void *ptrs[11], *part;

	for (int index = 0; index < 11; index++) {
		ptrs[index] = bheap_alloc(heap, sizes[index] * 16);
		row[index] = granule_of(ptrs[index]);
	}
	for (int index = 1; index < 11; index += 2)
		heap_free(heap, ptrs[index]);
	part = bheap_alloc(heap, 3 * 16);
	ck_assert_uint_eq(granule_of(part), row[9]);
	row[11] = row[9] + 3;
	ck_assert_uint_eq(control->victim, row[11]);
	ck_assert_int_eq(bheap_check(heap, NULL), 0);
}

static void setup(void)
{
	faults_expect(&faults);
	heap = bheap_create(64 * 1024, BHEAP_UNLOCKED);
	ck_assert_ptr_nonnull(heap);
	blocks = &heap->core;
	control = blocks->control;
	heap_fill();
}

static void teardown(void)
{
	heap_empty(heap);
	bheap_destroy(heap);
}

static void poke(void *at, uint32_t value)
{
	memory_scribble(at, &value, sizeof(value));
}

static struct bh_bin_node *node(uint32_t granule)
{
	return bh_bin_node(&blocks->bins, granule);
}

static uint64_t *start_word(uint32_t granule)
{
	return &blocks->map.words[granule >> 6].start;
}

static uint64_t *used_word(uint32_t granule)
{
	return &blocks->map.words[granule >> 6].used;
}

/* ---- the pokes ---- */

static void front_sentinel_no_start(void)
{
	*start_word(BH_FIRST - 1) ^= bh_map_bit(BH_FIRST - 1);
}

static void front_sentinel_not_used(void)
{
	*used_word(BH_FIRST - 1) ^= bh_map_bit(BH_FIRST - 1);
}

static void end_sentinel_no_start(void)
{
	*start_word(blocks->end) ^= bh_map_bit(blocks->end);
}

static void end_sentinel_not_used(void)
{
	*used_word(blocks->end) ^= bh_map_bit(blocks->end);
}

static void no_first_start(void)
{
	*start_word(row[0]) ^= bh_map_bit(row[0]);
	*used_word(row[0]) ^= bh_map_bit(row[0]);
}

static void bits_below_the_map(void)
{
	blocks->map.words[-1].start = 1;
}

static void used_bits_below_the_map(void)
{
	blocks->map.words[-1].used = 1;
}

static void bits_above_the_map(void)
{
	blocks->map.words[bh_map_words(blocks->end)].start = UINT64_C(1) << 63;
}

static void used_bits_above_the_map(void)
{
	blocks->map.words[bh_map_words(blocks->end)].used = 1;
}

static void a_start_behind_the_end(void)
{
	ck_assert_uint_ne(blocks->end & 63, 63);
	*start_word(blocks->end) |= bh_map_bit(blocks->end + 1);
}

static void used_inside_a_block(void)
{
	*used_word(row[0] + 1) |= bh_map_bit(row[0] + 1);
}

static void used_inside_a_free_block(void)
{
	*used_word(row[7] + 1) |= bh_map_bit(row[7] + 1);
}

/* The free block of row 7 has words of the map to itself, the top has many. */
static void tag_missing(void)
{
	blocks->map.words[(row[7] >> 6) + 1].used = 0;
}

static void tag_of_another_begin(void)
{
	blocks->map.words[(row[7] >> 6) + 1].used ^= 1;
}

static void tag_of_another_end(void)
{
	blocks->map.words[(control->top >> 6) + 1].used ^= UINT64_C(1) << 32;
}

static void last_tag_of_another_begin(void)
{
	blocks->map.words[(blocks->end >> 6) - 1].used ^= 1;
}

static void last_tag_of_another_end(void)
{
	blocks->map.words[(blocks->end >> 6) - 1].used ^= UINT64_C(1) << 32;
}

static void used_bit_lost(void)
{
	*used_word(row[2]) ^= bh_map_bit(row[2]);
}

static void split_of_a_free_block(void)
{
	bh_map_set_start(&blocks->map, row[7] + 50, row[7], row[8]);
}

static void used_bit_gained(void)
{
	*used_word(row[7]) |= bh_map_bit(row[7]);
}

static void top_elsewhere(void)
{
	control->top = row[7];
}

static void top_nowhere(void)
{
	control->top = blocks->end;
}

static void victim_too_large(void)
{
	control->victim_granules++;
}

static void victim_forgotten(void)
{
	control->victim = 0;
	control->victim_granules = 0;
}

static void victim_without_size(void)
{
	control->victim_granules = 0;
}

static void victim_is_used(void)
{
	control->victim = row[0];
}

static void victim_out_of_reach(void)
{
	control->victim = UINT32_MAX;
}

static void used_miscounted(void)
{
	control->used--;
}

static void peak_too_low(void)
{
	control->peak = control->used - 1;
}

static void live_miscounted(void)
{
	control->frees++;
}

static void head_poke(uint32_t bin, uint32_t value)
{
	blocks->bins.heads[bin] = value;
}

static void bin_to_a_used_block(void)
{
	head_poke(6, row[0]);
}

static void bin_out_of_the_heap(void)
{
	head_poke(6, UINT32_MAX);
}

static void bin_to_the_end(void)
{
	head_poke(6, blocks->end);
}

static void bin_to_a_larger_block(void)
{
	head_poke(6, row[7]);
}

static void bin_to_the_top(void)
{
	head_poke(6, control->top);
}

static void bin_to_the_victim(void)
{
	head_poke(2, control->victim);
}

static void bin_to_no_start(void)
{
	head_poke(6, row[1] + 1);
}

static void bin_shortened(void)
{
	head_poke(6, row[3]);
}

static void bin_emptied(void)
{
	head_poke(6, 0);
}

static void list_in_a_circle(void)
{
	poke(&node(row[1])->links.next, row[5]);
}

static void list_cut(void)
{
	poke(&node(row[3])->links.next, 0);
}

static void list_into_nowhere(void)
{
	poke(&node(row[1])->links.next, 0x41414141);
}

static void link_back_wrong(void)
{
	poke(&node(row[3])->links.previous, row[3]);
}

static void first_link_back_not_none(void)
{
	poke(&node(row[5])->links.previous, row[1]);
}

static void node_size_wrong(void)
{
	poke(&node(row[7])->granules, 91);
	poke(&node(row[7])->check, ~UINT32_C(91));
}

static void node_check_wrong(void)
{
	poke(&node(row[7])->check, 0);
}

static void free_block_in_no_bin(void)
{
	bool unlinked;

	bh_annotate_enter(true);
	unlinked = bh_bin_remove(&blocks->bins, row[7], 190);
	bh_annotate_leave(true);
	ck_assert(unlinked);
}

static void bin_bit_missing(void)
{
	control->bits.words[0] &= ~(UINT64_C(1) << 6);
}

static void bin_bit_too_many(void)
{
	control->bits.words[0] |= UINT64_C(1) << 8;
}

/* Of bins that there are not: of no size, after the last in its word, of words after the last. */
static void bin_bit_of_no_size(void)
{
	control->bits.words[0] |= 1;
}

static void bin_bit_behind_the_last(void)
{
	ck_assert_uint_ne(blocks->bins.count & 63, 0);
	control->bits.words[blocks->bins.count >> 6] |= UINT64_C(1) << 63;
}

static void bin_summary_bit_behind_the_last(void)
{
	control->bits.summary |= UINT64_C(1) << ((blocks->bins.count >> 6) + 1);
}

/* One may be too many: it is cleared when it is next looked at. */
static void bin_summary_bit_missing(void)
{
	control->bits.summary = 0;
}

#define MAP BHEAP_FAULT_DAMAGED_MAP
#define INDEX BHEAP_FAULT_DAMAGED_INDEX
#define COUNT BHEAP_FAULT_COUNT

static const char sentinel[] = "the block map is damaged: a sentinel is missing";
static const char outside[] = "the block map is damaged: bits outside the heap";
static const char used_no_start[] = "the block map is damaged: used where no block starts";
static const char neighbours[] = "the block map is damaged: two free blocks are neighbours";
static const char tag[] = "the index is damaged: a boundary tag differs from the map";
static const char top[] = "the index is damaged: the top is not the last free block";
static const char victim[] = "the index is damaged: the victim is no block of its size";
static const char elsewhere[] = "the index is damaged: "
				"a bin has no free block of its size";
static const char bin_bits[] = "the index is damaged: the bin bits disagree with the bins";
static const char in_no_bin[] = "the index is damaged: a free block is in no bin";
static const char bytes_used[] =
	"a counter disagrees with the block map: the bytes in use are miscounted";
static const char live[] = "a counter disagrees with the block map: the live blocks are miscounted";

/* at: which of the row the finding names and by how many granules beside it; -1: none. */
static const struct {
	void (*poke)(void);
	enum bheap_fault_kind kind;
	const char *text;
	int at, beside;
} pokes[] = {
	{front_sentinel_no_start, MAP, sentinel, -1, 0},
	{front_sentinel_not_used, MAP, sentinel, -1, 0},
	{end_sentinel_no_start, MAP, sentinel, -1, 0},
	{end_sentinel_not_used, MAP, sentinel, -1, 0},
	{no_first_start, MAP, "the block map is damaged: no block starts at the front", -1, 0},
	{bits_below_the_map, MAP, outside, -1, 0},
	{used_bits_below_the_map, MAP, outside, -1, 0},
	{bits_above_the_map, MAP, outside, -1, 0},
	{used_bits_above_the_map, MAP, outside, -1, 0},
	{a_start_behind_the_end, MAP, outside, -1, 0},
	{used_inside_a_block, MAP, used_no_start, 0, 1},
	{used_inside_a_free_block, MAP, used_no_start, 7, 1},
	{tag_missing, INDEX, tag, 7, 0},
	{tag_of_another_begin, INDEX, tag, 7, 0},
	{tag_of_another_end, INDEX, tag, 10, 1},
	{last_tag_of_another_begin, INDEX, tag, 10, 1},
	{last_tag_of_another_end, INDEX, tag, 10, 1},
	{used_bit_lost, MAP, neighbours, 3, 0},
	{split_of_a_free_block, MAP, neighbours, 7, 50},
	{used_bit_gained, COUNT, bytes_used, -1, 0},
	{top_elsewhere, INDEX, top, 10, 1},
	{top_nowhere, INDEX, top, 10, 1},
	{victim_too_large, INDEX, victim, -1, 0},
	{victim_forgotten, INDEX, in_no_bin, -1, 0},
	{victim_without_size, INDEX, victim, -1, 0},
	{victim_is_used, INDEX, victim, -1, 0},
	{victim_out_of_reach, INDEX, victim, -1, 0},
	{used_miscounted, COUNT, bytes_used, -1, 0},
	{peak_too_low, COUNT, bytes_used, -1, 0},
	{live_miscounted, COUNT, live, -1, 0},
	{bin_to_a_used_block, INDEX, elsewhere, -1, 0},
	{bin_out_of_the_heap, INDEX, elsewhere, -1, 0},
	{bin_to_the_end, INDEX, elsewhere, -1, 0},
	{bin_to_a_larger_block, INDEX, elsewhere, -1, 0},
	{bin_to_the_top, INDEX, elsewhere, -1, 0},
	{bin_to_the_victim, INDEX, elsewhere, -1, 0},
	{bin_to_no_start, INDEX, elsewhere, -1, 0},
	{bin_shortened, INDEX, elsewhere, -1, 0},
	{bin_emptied, INDEX, bin_bits, -1, 0},
	{list_in_a_circle, INDEX, elsewhere, 1, 0},
	{list_cut, INDEX, in_no_bin, -1, 0},
	{list_into_nowhere, INDEX, elsewhere, 1, 0},
	{link_back_wrong, INDEX, elsewhere, 5, 0},
	{first_link_back_not_none, INDEX, elsewhere, -1, 0},
	{node_size_wrong, INDEX, elsewhere, -1, 0},
	{node_check_wrong, INDEX, elsewhere, -1, 0},
	{free_block_in_no_bin, INDEX, in_no_bin, -1, 0},
	{bin_bit_missing, INDEX, bin_bits, -1, 0},
	{bin_bit_too_many, INDEX, bin_bits, -1, 0},
	{bin_summary_bit_missing, INDEX, bin_bits, -1, 0},
	{bin_bit_of_no_size, INDEX, bin_bits, -1, 0},
	{bin_bit_behind_the_last, INDEX, bin_bits, -1, 0},
	{bin_summary_bit_behind_the_last, INDEX, bin_bits, -1, 0},
};

#define POKES ((int)(sizeof(pokes) / sizeof(*pokes)))

static void finding_expect(int index)
{
	struct bheap_fault fault;
	const char *text;

	errno = 0;
	ck_assert_int_eq(bheap_check(heap, &fault), -1);
	ck_assert_errno(EUCLEAN);
	text = strstr(fault.text, pokes[index].text);
	ck_assert_msg(text && !text[strlen(pokes[index].text)], "found \"%s\" instead of \"%s\"",
		      fault.text, pokes[index].text);
	ck_assert_int_eq(fault.kind, pokes[index].kind);
	ck_assert_ptr_eq(fault.heap, heap);
	if (pokes[index].at < 0)
		ck_assert_ptr_null(fault.address);
	else
		ck_assert_ptr_eq(fault.address,
				 bh_core_address(blocks, row[pokes[index].at] +
								 (uint32_t)pokes[index].beside));
}

/* Copies all the bookkeeping, or brings it back: what lies before the last map word. */
static void bookkeeping_copy(char *into, bool back)
{
	size_t size = (size_t)((char *)&blocks->map.words[bh_map_words(blocks->end) + 1] -
			       heap->region.start);

	if (back)
		memcpy(heap->region.start, into, size);
	else
		memcpy(into, heap->region.start, size);
}

START_TEST(each_invariant)
{
	static char copy[1 << 20];

	bookkeeping_copy(copy, false);
	pokes[_i].poke();
	finding_expect(_i);
	finding_expect(_i); /* reading only */
	if (pokes[_i].kind == BHEAP_FAULT_DAMAGED_INDEX) {
		bh_annotate_enter(true);
		bh_rebuild(blocks);
		bh_annotate_leave(true);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
	} else {
		bookkeeping_copy(copy, true);
		ck_assert_int_eq(bheap_check(heap, NULL), 0);
	}
	ck_assert_uint_eq(faults.count, 0);
}
END_TEST

START_TEST(a_good_heap)
{
	struct bheap_fault fault = {.kind = BHEAP_FAULT_COUNT, .size = 1};

	ck_assert_int_eq(bheap_check(heap, &fault), 0);
	ck_assert_int_eq(fault.kind, BHEAP_FAULT_NONE);
	ck_assert_str_eq(fault.text, "bheap: no fault");
	ck_assert_ptr_null(fault.address);
	ck_assert_uint_eq(fault.size, 0);
	ck_assert_int_eq(bheap_check(NULL, &fault), -1);
	ck_assert_errno(EINVAL);
}
END_TEST

START_TEST(an_overflow_names_its_block)
{
	bheap_t *guarded = bheap_create(8192, BHEAP_GUARD);
	char *first = bheap_alloc(guarded, 30), *second = bheap_alloc(guarded, 100);
	struct bheap_fault fault;

	ck_assert_ptr_nonnull(first);
	ck_assert_int_eq(bheap_check(guarded, &fault), 0);
	memory_change(second + 100 + _i, '!');
	ck_assert_int_eq(bheap_check(guarded, &fault), -1);
	ck_assert_errno(EUCLEAN);
	ck_assert_int_eq(fault.kind, BHEAP_FAULT_OVERFLOW);
	ck_assert_ptr_eq(fault.address, second);
	ck_assert_uint_eq(fault.size,
			  _i < 12 ? 100 : 112); /* as its trailer says, while it is whole */
	ck_assert_ptr_nonnull(strstr(fault.text, "bytes past the block were overwritten"));
	heap_empty(guarded);
	ck_assert_int_eq(bheap_check(guarded, NULL), 0);
	ck_assert_uint_eq(faults.count, 1);
	bheap_destroy(guarded);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("verify", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_invariant, 0, POKES);
	tcase_add_test(tcase, a_good_heap);
	tcase_add_loop_test(tcase, an_overflow_names_its_block, 0, 28);
	return suite_run(suite);
}
