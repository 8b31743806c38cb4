#!/bin/sh
# SPDX-License-Identifier: MIT
# What the house style asks of a file of lib/: a licence line, a head of at most eight lines, at most
# 400 lines in all, and no preprocessor conditional inside a function.
set -eu
awk '
function say(text) { print FILENAME ":" FNR ": " text; failed = 1 }
FNR == 1 {
	if (FILENAME ~ /\.map$/) nextfile
	if ($0 != "/* SPDX-License-Identifier: MIT */") say("no licence line")
	inside = 0
	head = 0
}
FNR == 2 && $0 != "/*" { say("no head") }
FNR > 2 && !head && /^ \*\/$/ {
	head = FNR
	# The rules, and the line that opens and that which closes it; pictures are not counted.
	if (text > 8) say("a head of " text " lines")
	text = 0
}
FNR > 2 && !head && /^ \* [^ ]/ { text++ }
FNR == 401 { say("more than 400 lines") }
/^\{/ { inside = 1 }
/^\}/ { inside = 0 }
inside && /^[ \t]*#[ \t]*(if|else|elif|endif)/ { say("a conditional inside a function") }
END { exit failed }
' "${srcdir:-.}"/lib/*/*.[ch]
