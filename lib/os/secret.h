/* SPDX-License-Identifier: MIT */
/*
 * secret.h - random keys. Each is good for one purpose only, and tells nothing about the random
 * bytes that the C library makes its own secrets of.
 */
#ifndef BH_SECRET_H
#define BH_SECRET_H

#include <stdint.h>

enum bh_secret_purpose {
	BH_SECRET_SEALS = 1, /* of the trailers of a heap */
	BH_SECRET_MARKS = 2, /* of cached blocks, which tell it to whoever can read one */
};

/* A key from the kernel; where it gives none, as below. */
uint64_t bh_secret_random(enum bh_secret_purpose purpose, uint64_t number);

/*
 * A key without a system call: a one-way hash of the process's random bytes, another for each
 * purpose and number.
 */
uint64_t bh_secret_derived(enum bh_secret_purpose purpose, uint64_t number);

#endif
