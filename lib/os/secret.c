/* SPDX-License-Identifier: MIT */
/*
 * secret.c - keys from getrandom(2), or derived. The process's 16 random bytes (AT_RANDOM) are
 * themselves the stack protector's canary and the pointer guard: they are the key of a hash, never
 * its result.
 */
#include "os/secret.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>

#include "core/sip.h"

uint64_t bh_secret_derived(enum bh_secret_purpose purpose, uint64_t number)
{
	const void *seed = (const void *)getauxval(AT_RANDOM);
	uint64_t key[2] = {0};

	if (seed)
		memcpy(key, seed, sizeof(key));
	return bh_sip(key, (uint64_t)purpose, number);
}

/* getrandom() is a cancellation point. */
static bool kernel_gives(uint64_t *key)
{
	int saved = errno, state;
	bool given;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	given = getrandom(key, sizeof(*key), GRND_NONBLOCK) == (ssize_t)sizeof(*key);
	pthread_setcancelstate(state, NULL);
	errno = saved;
	return given;
}

uint64_t bh_secret_random(enum bh_secret_purpose purpose, uint64_t number)
{
	uint64_t key;

	return kernel_gives(&key) ? key : bh_secret_derived(purpose, number);
}
