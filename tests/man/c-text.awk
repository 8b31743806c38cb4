# SPDX-License-Identifier: MIT
# The C text of a page: what lies between .EX and .EE, roff escapes undone.
# -v block=SRC -v name=FILE: only the block between .\" SRC BEGIN (FILE) and .\" SRC END.
function unescape(line,    text, i, c)
{
	while ((i = index(line, "\\")) > 0) {
		text = text substr(line, 1, i - 1)
		line = substr(line, i + 1)
		c = substr(line, 1, 1) == "[" ? substr(line, 1, index(line, "]")) : substr(line, 1, 1)
		if (!(c in escape)) {
			print FILENAME ":" FNR ": unknown escape \\" c > "/dev/stderr"
			failed = 1
		}
		text = text escape[c]
		line = substr(line, length(c) + 1)
	}
	return text line
}

BEGIN {
	escape["e"] = "\\"; escape["-"] = "-"; escape["&"] = ""
	escape["[aq]"] = "'"; escape["[ga]"] = "`"; escape["[ha]"] = "^"; escape["[ti]"] = "~"
	wanted = block == ""
}

block != "" && index($0, ".\\\" " block " BEGIN (" name ")") == 1 { wanted = 1 }
block != "" && index($0, ".\\\" " block " END") == 1 { wanted = 0 }
$1 == ".EX" { inside = wanted; next }
$1 == ".EE" { inside = 0 }
inside { print unescape($0) }
END { exit failed }
