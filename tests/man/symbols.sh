#!/bin/sh
# SPDX-License-Identifier: MIT
# Every function of bheap.h has a page in section 3, and every page and alias there is of such
# functions, or of a header; pages are installed, and refer only to pages that exist.
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

for function in $functions; do
	[ -f "$pages/$function.3" ] || complain "$function: exported, but has no page"
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

	case $name in *.3) ;; *) continue ;; esac
	echo "$functions" | grep -qx "$title" || [ -f "$srcdir/include/$title" ] || complain "$name: bheap.h has no such function"
done

# The pages of ours that any page refers to.
references() { sed -n 's/^\.BR \(bheap[a-z_.]*\) (\([1-9]\)).*/\1.\2/p' "$pages"/*.[1-9] | sort -u; }

for reference in $(references); do
	[ -f "$pages/$reference" ] || complain "$reference: referred to, but not there"
done
exit $failed
