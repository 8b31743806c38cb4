# SPDX-License-Identifier: MIT
"""Sourced by gdb for damages.sh: at each stop of damages.c "bheap check" must begin with what
bheap_check() said, byte for byte but for what it adds in parentheses. Prints each text that was
said, and a line for each difference."""

import collections
import re

import gdb

said_by_library = collections.Counter()
differences = 0


def compare():
    verdict = gdb.parse_and_eval("verdict").string()
    try:
        lines = gdb.execute("bheap check heap", to_string=True).splitlines()
    except gdb.error as error:
        lines = [str(error)]
    # Addresses and sizes differ from one to the next.
    said_by_library[re.sub(r"0x\w+( \(\w+ bytes\))?", "0x...", verdict) or "sound"] += 1
    if not verdict:
        return lines == ["heap: no fault"] or (verdict, lines)
    if lines[0] == verdict or lines[0].startswith(verdict + " ("):
        return True
    return verdict, lines


while gdb.selected_inferior().pid:
    result = compare()
    if result is not True:
        differences += 1
        print("DIFFERENT: bheap_check(): %s; gdb: %s" % (result[0] or "no fault", result[1]))
    gdb.execute("continue", to_string=True)
for text, count in sorted(said_by_library.items()):
    print("SAID %d %s" % (count, text))
# Void if it was killed.
print("DIFFERENCES %d, EXIT %s" % (differences, gdb.parse_and_eval("$_exitcode")))
