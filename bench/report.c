/* SPDX-License-Identifier: MIT */
/*
 * report.c - what compare measured, as tables and as a file.
 */
#include "report.h"

#include <math.h>
#include <stdlib.h>

#include "tools/memory.h"
#include "sample.h"

#define NAME_WIDTH 14
#define CELL_WIDTH 12

static const double *seconds_at(const struct report *report, size_t trace, size_t peer)
{
	return report->seconds + (trace * report->peers->count + peer) * report->rounds;
}

bool report_completed(const struct report *report, size_t trace, size_t peer)
{
	const double *seconds = seconds_at(report, trace, peer);
	for (size_t round = 0; round < report->rounds; round++)
		if (isnan(seconds[round]))
			return false;
	return true;
}

/*
 * Time as a multiple of glibc's, which is peer 0: in each round the geometric mean over the traces
 * from first to last, then the summary of the rounds. All traces must have been completed.
 */
static struct summary ratio_summarise(const struct report *report, size_t peer, size_t first,
				      size_t last)
{
	double *ratios = memory_zero(report->rounds, sizeof(*ratios));
	for (size_t round = 0; round < report->rounds; round++) {
		double sum = 0;
		for (size_t trace = first; trace < last; trace++)
			sum += log(seconds_at(report, trace, peer)[round] /
				   seconds_at(report, trace, 0)[round]);
		ratios[round] = exp(sum / (double)(last - first));
	}
	struct summary summary = sample_summarise(ratios, report->rounds);
	free(ratios);
	return summary;
}

static struct summary nanoseconds_summarise(const struct report *report, size_t trace, size_t peer)
{
	double *values = memory_zero(report->rounds, sizeof(*values));
	for (size_t round = 0; round < report->rounds; round++)
		values[round] = seconds_at(report, trace, peer)[round] * 1e9 /
				(double)report->traces[trace].op_count;
	struct summary summary = sample_summarise(values, report->rounds);
	free(values);
	return summary;
}

/* NAN: not known. */
static double utilisation_find(const struct report *report, size_t trace, size_t peer)
{
	if (report->smallest_size == NULL)
		return NAN;
	size_t size = report->smallest_size[trace * report->peers->count + peer];
	return size == 0 ? NAN : (double)report->traces[trace].peak_size / (double)size;
}

/* ---- tables --------------------------------------------------------------------------------- */

static void cell_print(FILE *stream, double value, double spread)
{
	char cell[32] = "-";
	if (!isnan(value))
		snprintf(cell, sizeof(cell), "%.2f+-%.2f", value, spread);
	fprintf(stream, " %*s", CELL_WIDTH - 1, cell);
}

static void time_row_print(const struct report *report, FILE *stream, const char *name,
			   size_t first, size_t last)
{
	fprintf(stream, "%-*s", NAME_WIDTH, name);
	for (size_t peer = 1; peer < report->peers->count; peer++) {
		bool completed = true;
		for (size_t trace = first; trace < last; trace++)
			completed = completed && report_completed(report, trace, peer);
		struct summary ratio = {.median = NAN};
		if (completed)
			ratio = ratio_summarise(report, peer, first, last);
		cell_print(stream, ratio.median, (ratio.high_quartile - ratio.low_quartile) / 2);
	}
}

static void header_print(const struct report *report, FILE *stream, bool bounded_only,
			 const char *last)
{
	fprintf(stream, "%-*s", NAME_WIDTH, "trace");
	for (size_t peer = 1; peer < report->peers->count; peer++)
		if (!bounded_only || report->peers->all[peer].bounded)
			fprintf(stream, "%*s", CELL_WIDTH, report->peers->all[peer].name);
	fprintf(stream, "%s\n", last);
}

static void times_print(const struct report *report, FILE *stream)
{
	fprintf(stream,
		"Time of an operation / glibc's, median of %zu rounds +- half the quartile range\n",
		report->rounds);
	header_print(report, stream, false, "  glibc, ns");
	for (size_t trace = 0; trace < report->trace_count; trace++) {
		struct summary glibc = nanoseconds_summarise(report, trace, 0);
		time_row_print(report, stream, report->traces[trace].name, trace, trace + 1);
		fprintf(stream, "  %.1f (%.1f to %.1f)\n", glibc.median, glibc.low, glibc.high);
	}
	fputs("geometric mean; -: refused an operation for want of room\n", stream);
	if (report->recorded_count > 0) {
		time_row_print(report, stream, "  recorded", 0, report->recorded_count);
		fputc('\n', stream);
	}
	if (report->recorded_count < report->trace_count) {
		time_row_print(report, stream, "  made up", report->recorded_count,
			       report->trace_count);
		fputc('\n', stream);
	}
}

static void fit_row_print(const struct report *report, FILE *stream, const char *name, size_t first,
			  size_t last)
{
	fprintf(stream, "%-*s", NAME_WIDTH, name);
	for (size_t peer = 1; peer < report->peers->count; peer++) {
		if (!report->peers->all[peer].bounded)
			continue;
		double sum = 0;
		for (size_t trace = first; trace < last; trace++)
			sum += utilisation_find(report, trace, peer);
		if (isnan(sum))
			fprintf(stream, "%*s", CELL_WIDTH, "-");
		else
			fprintf(stream, "%*.4f", CELL_WIDTH, sum / (double)(last - first));
	}
}

static void fits_print(const struct report *report, FILE *stream)
{
	fputs("\nUtilisation: peak of live bytes / smallest region in which the trace completes\n",
	      stream);
	header_print(report, stream, true, "  peak bytes");
	for (size_t trace = 0; trace < report->trace_count; trace++) {
		fit_row_print(report, stream, report->traces[trace].name, trace, trace + 1);
		fprintf(stream, "  %zu\n", report->traces[trace].peak_size);
	}
	fputs("mean\n", stream);
	if (report->recorded_count > 0) {
		fit_row_print(report, stream, "  recorded", 0, report->recorded_count);
		fputc('\n', stream);
	}
	if (report->recorded_count < report->trace_count) {
		fit_row_print(report, stream, "  made up", report->recorded_count,
			      report->trace_count);
		fputc('\n', stream);
	}
}

void report_print(const struct report *report, FILE *stream)
{
	times_print(report, stream);
	if (report->smallest_size != NULL)
		fits_print(report, stream);
}

/* ---- the file ------------------------------------------------------------------------------- */

static void line_write(const struct report *report, FILE *stream, size_t trace, size_t peer)
{
	const struct trace *data = &report->traces[trace];
	fprintf(stream, "%s\t%s\t%s\t%zu\t%zu", data->name, report->peers->all[peer].name,
		trace < report->recorded_count ? "recorded" : "made-up", data->op_count,
		data->peak_size);
	if (report_completed(report, trace, peer)) {
		struct summary time = nanoseconds_summarise(report, trace, peer);
		struct summary ratio = ratio_summarise(report, peer, trace, trace + 1);
		fprintf(stream, "\t%.3f\t%.3f\t%.3f\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f", time.median,
			time.low, time.high, ratio.median, ratio.low, ratio.low_quartile,
			ratio.high_quartile, ratio.high);
	} else {
		fputs("\tNA\tNA\tNA\tNA\tNA\tNA\tNA\tNA", stream);
	}
	double utilisation = utilisation_find(report, trace, peer);
	if (isnan(utilisation))
		fputs("\tNA\tNA\n", stream);
	else
		fprintf(stream, "\t%zu\t%.5f\n",
			report->smallest_size[trace * report->peers->count + peer], utilisation);
}

void report_write(const struct report *report, FILE *stream)
{
	fputs("trace\tallocator\tkind\toperations\tpeak_bytes\tns_median\tns_min\tns_max\tratio_median\t"
	      "ratio_min\tratio_q1\tratio_q3\tratio_max\tsmallest_region\tutilisation\n",
	      stream);
	for (size_t trace = 0; trace < report->trace_count; trace++)
		for (size_t peer = 0; peer < report->peers->count; peer++)
			line_write(report, stream, trace, peer);
}
