/* SPDX-License-Identifier: MIT */
/*
 * test_barrier.c - os/barrier.h: refused before it was prepared, and by a sandbox; errno is kept.
 */
#include "support.h"

#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/barrier.h"

START_TEST(a_process_is_prepared_once_or_again)
{
	errno = ERANGE;
	ck_assert_int_eq(bh_barrier_prepare(), bh_barrier_prepare());
	ck_assert_errno(ERANGE);
}
END_TEST

/* One thread needs nobody's fence but its own. */
START_TEST(one_thread_asks_nobody)
{
	errno = ERANGE;
	if (__libc_single_threaded)
		ck_assert(bh_barrier_all());
	ck_assert_errno(ERANGE);
}
END_TEST

/* The library prepared this process when it was loaded, unless the kernel has no such barrier. */
START_TEST(threads_need_it_prepared)
{
	threads_begin();
	errno = ERANGE;
	ck_assert_int_eq(bh_barrier_all(), bh_barrier_is_prepared());
	ck_assert_int_eq(bh_barrier_prepare(), bh_barrier_is_prepared());
	bh_barrier_wait();
	ck_assert_errno(ERANGE);
}
END_TEST

static int refused_here(void *arg)
{
	threads_begin();
	bh_barrier_prepare();
	if (!system_call_refuse(SYS_membarrier, *(unsigned *)arg))
		return 77;
	errno = ERANGE;
	return bh_barrier_all() || bh_barrier_prepare() || errno != ERANGE;
}

START_TEST(a_sandbox_refuses)
{
	static unsigned errors[] = {ENOSYS, EPERM};
	struct child child;

	child_run(&child, refused_here, &errors[_i]);
	if (WIFEXITED(child.status) && WEXITSTATUS(child.status) == 77)
		return;
	child_assert_exited(&child, 0);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("barrier", &tcase, 30);

	tcase_add_test(tcase, a_process_is_prepared_once_or_again);
	tcase_add_test(tcase, one_thread_asks_nobody);
	tcase_add_test(tcase, threads_need_it_prepared);
	tcase_add_loop_test(tcase, a_sandbox_refuses, 0, 2);
	return suite_run(suite);
}
