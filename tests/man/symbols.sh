#!/bin/sh
# SPDX-License-Identifier: MIT
# Every function of bheap.h has a page in section 3 and stands in two lists of bheap.7, and every page
# and alias of section 3 is of such functions, or of a header; pages are installed, and refer only to
# pages that exist.
srcdir=${srcdir:-.}
pages=$srcdir/man
failed=0
complain() { echo "$*"; failed=1; }

# The names in the NAME section of a page.
names() { awk '/^\.SH NAME/ { getline; sub(/ *\\-.*/, ""); gsub(/,/, ""); print; exit }' "$1"; }

# The pages that the makefile installs.
installed() {
	sed -n '/^dist_man_MANS =/,/[^\\]$/p' Makefile | tr -s ' \t\\' '\n' | sed 's,.*/,,'
}

functions=$(sed -n 's/^BHEAP_API [^(]*[ *]\([a-z_]*\)(.*/\1/p' "$srcdir/include/bheap.h")
[ "$(echo "$functions" | wc -l)" -gt 30 ] || complain "bheap.h: too few functions found"

# The lines of bheap(7) between two headings of subsections.
overview() { sed -n "/^\\.SS $1/,/^\\.SS $2/p" "$pages/bheap.7"; }

for function in $functions; do
	[ -f "$pages/$function.3" ] || complain "$function: exported, but has no page"
	overview Functions 'The block map' | grep -q "^\\.BR $function (3)" ||
		complain "$function: not in the list of functions of bheap.7"
	overview Time Threads | grep -qF "\\fB$function\\fP()" || complain "$function: not in the table of time of bheap.7"
done

for page in "$pages"/*.[1-9]; do
	name=${page##*/}
	title=${name%.*}
	installed | grep -qx "$name" || complain "$name: not in dist_man_MANS, so not installed"

	target=$(sed -n 's/^\.so //p' "$page")
	[ -n "$target" ] && page=$pages/${target##*/}
	[ -f "$page" ] || { complain "$name: the alias leads to $target, which is not there"; continue; }
	case " $(names "$page") " in
	*" $title "*) ;;
	*) complain "$name: not named in the NAME section of ${page##*/}" ;;
	esac
	for other in $(names "$page"); do
		[ -f "$pages/$other.${name##*.}" ] || complain "$name: names $other, which has no page or alias"
	done

	# Who begins with bheap(7) finds the pages that are no function's.
	[ -n "$target" ] || [ "$name" = bheap.7 ] || echo "$functions" | grep -qx "$title" ||
		grep -qF ".BR $(echo "$title" | sed 's/-/\\-/g') (${name##*.})" "$pages/bheap.7" ||
		complain "$name: bheap.7 does not lead to it"
	case $name in *.3) ;; *) continue ;; esac
	echo "$functions" | grep -qx "$title" || [ -f "$srcdir/include/$title" ] || complain "$name: bheap.h has no such function"
done

# The pages of ours that any page refers to.
references() {
	sed -n 's/\\-/-/g; s/^\.BR \(\(lib\)*bheap[a-z_.-]*\) (\([1-9]\)).*/\1.\3/p' "$pages"/*.[1-9] | sort -u
}

for reference in $(references); do
	[ -f "$pages/$reference" ] || complain "$reference: referred to, but not there"
done
exit $failed
