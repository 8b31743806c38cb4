# SPDX-License-Identifier: MIT
# The declarations of a C text, one a line, without comments, attributes and spare white space.
# -v want=prototypes: functions marked BHEAP_API; with -v all=1 those that are not, too.
# -v want=types: definitions of structures, and function types.
/^#/ { skipping = 1 }
!skipping { text = text $0 "\n" }
skipping && !/\\$/ { skipping = 0 }

function without_comments(s,    kept, start, end)
{
	while ((start = index(s, "/*")) > 0) {
		kept = kept substr(s, 1, start - 1) " "
		s = substr(s, start + 2)
		end = index(s, "*/")
		s = substr(s, end + 2)
	}
	return kept s
}

function normal(s)
{
	gsub(/[ \t\n]+/, " ", s)
	gsub(/\( /, "(", s)
	gsub(/\* /, "*", s)
	gsub(/^ | $/, "", s)
	return s
}

function print_prototypes(s,    count, part, i, start)
{
	count = split(s, part, ";")
	for (i = 1; i <= count; i++) {
		start = index(part[i], "BHEAP_API")
		if (start == 0 && !(all && part[i] ~ /\(/))
			continue
		if (start > 0)
			part[i] = substr(part[i], start + length("BHEAP_API"))
		sub(/\)[ \n\t]*BHEAP_.*/, ")", part[i])
		print normal(part[i]) ";"
	}
}

function print_types(s)
{
	while (match(s, /struct bheap_[a-z_]+[ \n\t]*\{[^}]*\};|typedef [a-z]+ bheap_[a-z_]+\([^;]*;/)) {
		print normal(substr(s, RSTART, RLENGTH))
		s = substr(s, RSTART + RLENGTH)
	}
}

END {
	text = without_comments(text)
	if (want == "types")
		print_types(text)
	else
		print_prototypes(text)
}
