/* SPDX-License-Identifier: MIT */
/*
 * sip.h - a keyed one-way hash of two words: SipHash-1-3 (Aumasson, Bernstein), one round a word
 * and three at the end. Every message is two words long, so no length is hashed. Hashes tell
 * nothing about the key.
 */
#ifndef BH_SIP_H
#define BH_SIP_H

#include "core/granule.h"

struct bh_sip_state {
	uint64_t a, b, c, d;
};

static inline uint64_t bh_sip_rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

/* Two columns, then the two diagonals, each an addition, a rotation and an exclusive or. */
static inline void bh_sip_round(struct bh_sip_state *state)
{
	state->a += state->b;
	state->c += state->d;
	state->b = bh_sip_rotate(state->b, 13) ^ state->a;
	state->d = bh_sip_rotate(state->d, 16) ^ state->c;
	state->a = bh_sip_rotate(state->a, 32);
	state->c += state->b;
	state->a += state->d;
	state->b = bh_sip_rotate(state->b, 17) ^ state->c;
	state->d = bh_sip_rotate(state->d, 21) ^ state->a;
	state->c = bh_sip_rotate(state->c, 32);
}

static inline void bh_sip_word(struct bh_sip_state *state, uint64_t word)
{
	state->d ^= word;
	bh_sip_round(state);
	state->a ^= word;
}

static BH_ALWAYS_INLINE uint64_t bh_sip(const uint64_t key[2], uint64_t first, uint64_t second)
{
	/* The algorithm's four constants. */
	struct bh_sip_state state = {
		key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};

	bh_sip_word(&state, first);
	bh_sip_word(&state, second);
	state.c ^= 0xff;
	bh_sip_round(&state);
	bh_sip_round(&state);
	bh_sip_round(&state);
	return state.a ^ state.b ^ state.c ^ state.d;
}

#endif
