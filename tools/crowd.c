/* SPDX-License-Identifier: MIT */
/*
 * crowd.c - see crowd.h. What a thread frees after its own data were destroyed, as the C library
 * does, does not count it again: nothing would tell of its end.
 */
#include "crowd.h"

#include <pthread.h>
#include <stdbool.h>

static pthread_key_t end_key;
static bool has_key;
static uint32_t now, most;
static __thread bool is_counted __attribute__((tls_model("initial-exec")));

static void thread_end(void *unused)
{
	(void)unused;
	__atomic_sub_fetch(&now, 1, __ATOMIC_RELAXED);
}

void crowd_begin(void)
{
	has_key = pthread_key_create(&end_key, thread_end) == 0;
}

void crowd_join(void)
{
	uint32_t living, seen;

	if (is_counted)
		return;
	is_counted = true;
	living = __atomic_add_fetch(&now, 1, __ATOMIC_RELAXED);
	seen = __atomic_load_n(&most, __ATOMIC_RELAXED);
	while (living > seen && !__atomic_compare_exchange_n(&most, &seen, living, true,
							     __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	if (has_key)
		pthread_setspecific(end_key, &end_key);
}

uint32_t crowd_most(void)
{
	return __atomic_load_n(&most, __ATOMIC_RELAXED);
}

void crowd_fork(void)
{
	__atomic_store_n(&now, is_counted ? 1 : 0, __ATOMIC_RELAXED);
}
