/* SPDX-License-Identifier: MIT */
/*
 * sample.c - repeated measurements: medians, spread, clocks.
 */
#include "sample.h"

#include <stdlib.h>
#include <time.h>

static int values_compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

struct summary sample_summarise(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), values_compare);
	return (struct summary){
		.median = (values[(count - 1) / 2] + values[count / 2]) / 2,
		.low = values[0],
		.high = values[count - 1],
		.low_quartile = values[count / 4],
		.high_quartile = values[count - 1 - count / 4],
	};
}

static double clock_seconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

double sample_cpu_seconds(void)
{
	return clock_seconds(CLOCK_THREAD_CPUTIME_ID);
}

double sample_wall_seconds(void)
{
	return clock_seconds(CLOCK_MONOTONIC);
}
