#!/bin/sh
# SPDX-License-Identifier: MIT
# "skipped.sh LOG...": tells which tests of "make check" were skipped and why: a script says so in the last
# line of its log, a program in the line of the result.
for log; do
	results=${log%.log}.trs
	[ -r "$results" ] || continue
	sed -n 's/^:test-result: SKIP *//p' "$results" | while read -r reason; do
		[ -n "$reason" ] || reason=$(grep -v '^SKIP ' "$log" | grep . | tail -n 1)
		reason=${reason#SKIP: }
		printf 'skipped: %s: %s\n' "${log%.log}" "${reason#"${log%.log} - "}"
	done
done
