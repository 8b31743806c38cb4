# SPDX-License-Identifier: MIT
# The C text of the SYNOPSIS of a page: its lines of .B and .BI, arguments joined as roff does.
function joined(line,    text, end)
{
	while (line != "") {
		if (substr(line, 1, 1) == "\"") {
			line = substr(line, 2)
			end = index(line, "\"")
		} else {
			end = index(line " ", " ")
		}
		text = text substr(line, 1, end - 1)
		line = substr(line, end + 1)
		sub(/^ +/, "", line)
	}
	return text
}

/^\.SH/ { inside = $2 == "SYNOPSIS" }
inside && /^\.BI? / { sub(/^\.BI? +/, ""); print joined($0) }
