/* SPDX-License-Identifier: MIT */
/*
 * test_secret.c - no key and no seal tells anything about the random bytes that the C library makes
 * the stack protector's canary and the pointer guard of; keys differ from heap to heap.
 */
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "core/annotate.h"
#include "core/sip.h"
#include "handle/handle.h"

#define SIZE (64 * 1024)

static uint64_t
	process[2]; /* the random bytes: the canary is the first word, the guard the second */

static void setup(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	ck_assert_ptr_nonnull(random);
	memcpy(process, random, sizeof(process));
}

/* But for the low byte, which is 0 in a canary, and the two bits that each seal has set. */
static bool is_told_by(uint64_t word)
{
	const uint64_t mask = ~UINT64_C(0x01000000000000ff);

	return !((word ^ process[0]) & mask) || !((word ^ process[1]) & mask);
}

static void bytes_check(const unsigned char *bytes, size_t size)
{
	for (size_t at = 0; at + sizeof(uint64_t) <= size; at++) {
		uint64_t word;

		memcpy(&word, bytes + at, sizeof(word));
		if (is_told_by(word))
			ck_abort_msg("a secret of the process stands at byte %zu", at);
	}
}

/* No bit of key or message is without effect. */
START_TEST(the_hash_depends_on_every_bit)
{
	const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint64_t hash = bh_sip(key, 1, 2);

	for (unsigned bit = 0; bit < 64; bit++) {
		const uint64_t other[2] = {key[0] ^ UINT64_C(1) << bit, key[1]};
		const uint64_t another[2] = {key[0], key[1] ^ UINT64_C(1) << bit};

		ck_assert_int_gt(__builtin_popcountll(hash ^ bh_sip(other, 1, 2)), 10);
		ck_assert_int_gt(__builtin_popcountll(hash ^ bh_sip(another, 1, 2)), 10);
		ck_assert_int_gt(
			__builtin_popcountll(hash ^ bh_sip(key, 1 ^ UINT64_C(1) << bit, 2)), 10);
		ck_assert_int_gt(
			__builtin_popcountll(hash ^ bh_sip(key, 1, 2 ^ UINT64_C(1) << bit)), 10);
	}
}
END_TEST

START_TEST(a_heap_file_holds_no_secret)
{
	static unsigned char bytes[SIZE];
	static const unsigned flags[] = {0, BHEAP_GUARD, BHEAP_OWNED, BHEAP_GUARD | BHEAP_OWNED};
	FILE *file = tmpfile();
	bheap_t *heap;

	ck_assert_ptr_nonnull(file);
	heap = bheap_open_fd(dup(fileno(file)), SIZE, flags[_i]);
	ck_assert_ptr_nonnull(heap);
	ck_assert_ptr_nonnull(bheap_alloc(heap, 100));
	ck_assert_int_eq(bheap_close(heap), 0);
	ck_assert_int_eq((int)pread(fileno(file), bytes, sizeof(bytes), 0), SIZE);
	bytes_check(bytes, sizeof(bytes));
	fclose(file);
}
END_TEST

/* What stood in a seal of the first version could be turned back into the key. */
static uint64_t multiplied_back(uint64_t product, uint64_t factor)
{
	uint64_t inverse = factor;

	for (unsigned round = 0; round < 6; round++)
		inverse *= 2 - factor * inverse;
	return product * inverse;
}

static uint64_t shifted_back(uint64_t mixed, unsigned shift)
{
	uint64_t word = mixed;

	for (unsigned done = shift; done < 64; done += shift)
		word = mixed ^ word >> shift;
	return word;
}

static uint64_t turned_back(uint64_t seal, uint32_t block, uint32_t slack_size)
{
	uint64_t mixed = multiplied_back(shifted_back(seal, 32), UINT64_C(0xd6e8feb86659fd93));

	mixed = shifted_back(mixed, 29) - slack_size;
	mixed = multiplied_back(mixed, UINT64_C(0x9e3779b97f4a7c15));
	return shifted_back(mixed, 31) ^ block;
}

static void seal_check(const bheap_t *heap, const unsigned char *block)
{
	uint32_t granule = bh_core_find(&heap->core, block);
	uint64_t seal, key;

	memcpy(&seal, block + 112, sizeof(seal));
	for (unsigned bits = 0; bits < 4; bits++) {
		seal &= ~UINT64_C(0x0100000000000001);
		seal |= (bits & 1) | (uint64_t)(bits >> 1) << 56;
		key = turned_back(seal, granule, 12);
		ck_assert_uint_ne(key, heap->key);
		ck_assert(!is_told_by(key));
	}
}

START_TEST(a_seal_tells_nothing)
{
	static _Alignas(16) unsigned char buffer[SIZE];
	bheap_t *heap =
		_i ? bheap_create_in(buffer, SIZE, BHEAP_GUARD) : bheap_create(SIZE, BHEAP_GUARD);
	const unsigned char *volatile block = bheap_alloc(heap, 100);

	ck_assert(!is_told_by(heap->key));
	bh_annotate_lend((const void *)block, 128);
	bytes_check(block, 128);
	seal_check(heap, block);
	bheap_destroy(heap);
}
END_TEST

START_TEST(each_heap_has_its_own_key)
{
	static _Alignas(16) unsigned char buffers[2][SIZE];
	bheap_t *one = bheap_create(SIZE, BHEAP_GUARD), *two = bheap_create(SIZE, BHEAP_GUARD);
	bheap_t *in = bheap_create_in(buffers[0], SIZE, BHEAP_GUARD);
	bheap_t *beside = bheap_create_in(buffers[1], SIZE, BHEAP_GUARD);

	ck_assert_uint_ne(one->key, two->key);
	ck_assert_uint_ne(in->key, beside->key);
	bheap_destroy(one);
	bheap_destroy(two);
	bheap_destroy(in);
	bheap_destroy(beside);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("secret", &tcase, 10);

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, the_hash_depends_on_every_bit);
	tcase_add_loop_test(tcase, a_heap_file_holds_no_secret, 0, 4);
	tcase_add_loop_test(tcase, a_seal_tells_nothing, 0, 2);
	tcase_add_test(tcase, each_heap_has_its_own_key);
	return suite_run(suite);
}
