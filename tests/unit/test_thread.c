/* SPDX-License-Identifier: MIT */
/*
 * test_thread.c - os/thread.h: which threads have ended; errno is kept.
 */
#include "support.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "os/thread.h"

static void *number_of_thread(void *arg)
{
	*(pid_t *)arg = bh_thread_id();
	if (bh_thread_is_gone(getpid(), bh_thread_id()))
		*(pid_t *)arg = 0;
	return NULL;
}

START_TEST(a_thread_that_ended_is_gone)
{
	pthread_t thread;
	pid_t number = 0;

	ck_assert_int_eq(bh_thread_id(), getpid());
	ck_assert_int_eq(pthread_create(&thread, NULL, number_of_thread, &number), 0);
	pthread_join(thread, NULL);
	ck_assert_int_ne(number, 0);
	ck_assert_int_ne(number, getpid());
	errno = ERANGE;
	/* The kernel may be at work on its end for a while. */
	while (!bh_thread_is_gone(getpid(), number))
		usleep(1000);
	ck_assert(!bh_thread_is_gone(getpid(), getpid()));
	ck_assert_errno(ERANGE);
}
END_TEST

/* No thread of this process has the number, but one of that process has. */
START_TEST(of_another_process)
{
	ck_assert(bh_thread_is_gone(getpid(), getppid()));
	ck_assert(!bh_thread_is_gone(getppid(), getppid()));
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_of("thread", &tcase, 60);

	tcase_add_test(tcase, a_thread_that_ended_is_gone);
	tcase_add_test(tcase, of_another_process);
	return suite_run(suite);
}
