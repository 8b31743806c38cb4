/* SPDX-License-Identifier: MIT */
/*
 * sample.h - repeated measurements and what is said of them: the median and the spread.
 */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include <stddef.h>

struct summary {
	double median;
	double low, high; /* the smallest and the largest */
	double low_quartile, high_quartile;
};

/* Sorts the values. count is at least 1. */
struct summary sample_summarise(double *values, size_t count);

/* Processor time of this thread in seconds; other programs' turns do not count. */
double sample_cpu_seconds(void);

/* Time on the wall in seconds, for what several threads do. */
double sample_wall_seconds(void);

#endif
