/* SPDX-License-Identifier: MIT */
/*
 * rlimit.c - the functions by which a program limits its own address space, as the recorder has
 * them: the area behind the table (table.h) shrinks to the part that it has in a program that began
 * with that limit.
 */
#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

#include "record.h"

typedef int setrlimit_fn(__rlimit_resource_t resource, const struct rlimit *limit);
typedef int prlimit_fn(pid_t pid, __rlimit_resource_t resource, const struct rlimit *limit,
		       struct rlimit *before);

/* The C library's own, found before a child of vfork(2) asks. */
static setrlimit_fn *next_setrlimit;
static prlimit_fn *next_prlimit;

static void __attribute__((constructor)) limits_prepare(void)
{
	next_setrlimit = (setrlimit_fn *)dlsym(RTLD_NEXT, "setrlimit64");
	next_prlimit = (prlimit_fn *)dlsym(RTLD_NEXT, "prlimit64");
}

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	int result = next_setrlimit(resource, limit);

	if (!result && resource == RLIMIT_AS)
		record_limit(limit->rlim_cur);
	return result;
}

int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *limit,
	    struct rlimit *before)
{
	int result = next_prlimit(pid, resource, limit, before);

	if (!result && resource == RLIMIT_AS && limit && (!pid || pid == getpid()))
		record_limit(limit->rlim_cur);
	return result;
}

/* Where limits have 64 bits in any case, each function has a second name. */
#if __SIZEOF_LONG__ > 4
int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
	return setrlimit(resource, (const struct rlimit *)limit);
}

int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *limit,
	      struct rlimit64 *before)
{
	return prlimit(pid, resource, (const struct rlimit *)limit, (struct rlimit *)before);
}
#endif
