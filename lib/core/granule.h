/* SPDX-License-Identifier: MIT */
/*
 * granule.h - units. Owns the granule: how many make up a size, and the bit helpers.
 * Refuses nothing: a size that is too large gives a count that no heap has (fail closed).
 */
#ifndef BH_GRANULE_H
#define BH_GRANULE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bheap.h"
#include "core/assert.h"

#define BH_GRANULE_SHIFT 4
#define BH_GRANULE ((size_t)1 << BH_GRANULE_SHIFT)
_Static_assert(BH_GRANULE == BHEAP_ALIGNMENT, "a granule is what blocks are aligned to");

#define BH_WORD_BITS (sizeof(uintptr_t) * CHAR_BIT)

#define BH_LIKELY(x) __builtin_expect(!!(x), 1)
#define BH_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* Lets the compiler leave out the test of what is always so. */
#define BH_ASSUME(x) ((x) ? (void)0 : __builtin_unreachable())
/* Kept out of line, so that the fast path stays short. */
#define BH_COLD __attribute__((noinline, cold))
/*
 * A copy for each caller, whose constant arguments make it short; only where the compiler
 * optimises, and not with AddressSanitizer, for which a checked function must not become a part of
 * one that is not.
 */
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
#define BH_ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define BH_ALWAYS_INLINE inline
#endif
/* Not inlined: its stack frame would otherwise be that of its callers. */
#define BH_NOINLINE __attribute__((noinline))

/*
 * The compiler forgets what it has computed from a variable: what it kept in registers would cost a
 * function without a stack frame that frame.
 */
#define BH_FORGET(variable) __asm__("" : "+r"(variable))

/*
 * Granules of a size. Size 0 wraps to a count above any heap: one comparison takes it off the fast
 * path.
 */
static inline size_t bh_granules(size_t size)
{
	return ((size - 1) >> BH_GRANULE_SHIFT) + 1;
}

static inline size_t bh_bytes(size_t granules)
{
	return granules << BH_GRANULE_SHIFT;
}

static inline bool bh_is_power_of_two(size_t value)
{
	return (value ^ (value - 1)) > value - 1;
}

/* alignment is a power of two; the caller knows that value + alignment does not overflow. */
static inline size_t bh_round_up(size_t value, size_t alignment)
{
	BH_ASSERT(bh_is_power_of_two(alignment));
	BH_ASSERT(value + (alignment - 1) >= value);
	return (value + alignment - 1) & ~(alignment - 1);
}

/* Neither has a result for 0. */
static inline unsigned bh_lowest_bit(uint64_t bits)
{
	BH_ASSERT(bits);
	return (unsigned)__builtin_ctzll(bits);
}

static inline unsigned bh_highest_bit(uint64_t bits)
{
	BH_ASSERT(bits);
	return 63u ^ (unsigned)__builtin_clzll(bits);
}

#endif
