#!/bin/sh
# SPDX-License-Identifier: MIT
# The documents speak of things that exist: links and the headings they lead to, paths, make targets,
# functions, constants and environment variables; the decisions that code refers to; and README.md names
# every document and every example. What only looks like such a name is listed below.
set -eu
srcdir=${srcdir:-.}
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() {
	echo "$*"
	failed=1
}

# Made by the build or by a user, and so not in the tree.
made='bench/results.tsv bench/results.svg bench/traces/ tests/NAME'
# Functions of the C library and of peers.
foreign='malloc realloc fork create_mspace_with_base'

documents=$(cd "$srcdir" && ls ./*.md doc/*.md bench/*.md tests/*.md tests/fuzz/*.md 2>/dev/null | sed 's|^\./||')

# What stands between backticks, a line each; whole lines of blocks.
code_of() {
	awk '/^```/ { block = !block; next }
		block || /^    / { print; next }
		{ while (match($0, /`[^`]+`/)) {
			print substr($0, RSTART + 1, RLENGTH - 2)
			$0 = substr($0, RSTART + RLENGTH)
		} }' "$srcdir/$1"
}

# The anchors of a document's headings, as they are made of them.
anchors_of() {
	sed -n '/^```/,/^```/d; s/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' |
		sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

is_path() {
	[ -e "$srcdir/$1" ] || [ -e "$1" ] || [ -e "$srcdir/$1.c" ] || [ -e "$srcdir/$1.in" ] ||
		case " $made " in *" $1 "*) true ;; *) false ;; esac
}

links() {
	grep -o '](\([^)]*\))' "$srcdir/$1" | sed 's/^](//; s/)$//' | grep -v '^https*:' | sort -u |
	while read -r link; do
		target=$(dirname "$1")/${link%%#*}
		[ -n "${link%%#*}" ] || target=$1
		[ -e "$srcdir/$target" ] || { echo "$1: nothing is at $link"; continue; }
		case $link in *'#'*)
			anchors_of "$srcdir/$target" | grep -qx -- "${link#*#}" ||
				echo "$1: no heading makes $link" ;;
		esac
	done
}

paths() {
	code_of "$1" | grep -oE '(^|[ =(])(\.ci|bench|build-aux|debian|doc|examples|include|lib|m4|man|tests|tools)/[][A-Za-z0-9_.*/{}-]*' |
		sed 's/^[ =(]//; s/[.]$//' | grep -v '[][*{}]\|NAME\|ROOM' | sort -u |
		while read -r path; do
			is_path "$path" || echo "$1: $path does not exist"
		done
	# Rooms of lib/, a .c and its .h or one of the two.
	code_of "$1" | grep -xE '(core|os|handle|api)/[a-z]+' | sort -u | while read -r room; do
		[ -e "$srcdir/lib/$room.c" ] || [ -e "$srcdir/lib/$room.h" ] || echo "$1: no room $room"
	done
}

targets() {
	code_of "$1" | grep -oE '(^|[ &])make [a-z][a-z-]*' | sed 's/.*make //' | sort -u |
		while read -r target; do
			grep -qE "^([^#:=	]* )?$target( [^:=]*)?:" Makefile || echo "$1: make $target is no target"
		done
}

# All words of the sources, once.
(cd "$srcdir" && cat include/*.h* lib/*/*.[ch] lib/*.map lib/*.py tools/*.[ch] tools/*/*.[ch] bench/*.[ch] bench/*.in bench/*.sh bench/*.mk \
	tests/*.mk tests/*.[ch] tests/*/*.[ch] configure.ac 2>/dev/null) |
	tr -cs 'A-Za-z0-9_' '\n' | sort -u >"$work/words"

names() {
	code_of "$1" | grep -oE '\b(bh_|bheap_|BH_|BHEAP_|BENCH_|SOAK_)[A-Za-z0-9_]*[a-z0-9A-Z]\b' | grep -v 'NAME$' | sort -u |
		comm -23 - "$work/words" | sed "s|^|$1: the sources do not have |"
	code_of "$1" | grep -oE '\b[a-z_]+\(\)' | sed 's/()//' | sort -u | comm -23 - "$work/words" |
		while read -r name; do
			case " $foreign " in *" $name "*) ;; *) echo "$1: no function $name()" ;; esac
		done
}

export LC_ALL=C
sort -o "$work/words" "$work/words"
for document in $documents; do
	for kind in links paths targets names; do
		found=$($kind "$document" || :)
		[ -z "$found" ] || say "$found"
	done
done

# README.md names every document, and every page but those of functions.
for document in $documents; do
	[ "$document" = README.md ] || grep -qF "]($document)" "$srcdir/README.md" ||
		say "README.md: no link to $document"
done
for page in "$srcdir"/man/*.[17]; do
	grep -q '^\.so ' "$page" && continue
	name=$(basename "$page")
	grep -qF "${name%.?}(${name##*.})" "$srcdir/README.md" || say "README.md: no word of $name"
done

# README.md and bheap(7) name every example.
for example in "$srcdir"/examples/*.c; do
	name=$(basename "$example")
	grep -qF "](examples/$name)" "$srcdir/README.md" || say "README.md: no link to examples/$name"
	grep -q "^\.I.*\b$name\b" "$srcdir/man/bheap.7" || say "bheap.7: no word of examples/$name"
done

# The architecture names every room, as `folder/room`.
for file in "$srcdir"/lib/*/*.[ch]; do
	room=${file#"$srcdir/lib/"}
	echo "${room%.?}"
done | sort -u >"$work/roomnames"
while read -r room; do
	grep -q "\`$room\`" "$srcdir/doc/architecture.md" || echo "doc/architecture.md: no word of $room"
done <"$work/roomnames" >"$work/rooms"
[ ! -s "$work/rooms" ] || say "$(cat "$work/rooms")"

# Each room has a test of its name, or a row in tests/README.md that tells its tests.
sed 's,.*/,,' "$work/roomnames" | sort -u | while read -r room; do
	ls "$srcdir"/tests/*/"test_$room.c" >/dev/null 2>&1 ||
		grep -q "^| .*\`$room\`.* | .*/" "$srcdir/tests/README.md" || echo "tests/README.md: no tests of $room"
done >"$work/untested"
[ ! -s "$work/untested" ] || say "$(cat "$work/untested")"

# What libbheap has not, a dash in the last column, has a row that tells what to do instead.
sed -n 's/^| \([^|]*\) |.* - |$/\1/p' "$srcdir/doc/migration.md" >"$work/dashes"
[ -s "$work/dashes" ] || say "doc/migration.md: no dash found"
while read -r purpose; do
	sed -n '/^| missing | instead |/,$p' "$srcdir/doc/migration.md" | grep -q "^| $purpose |" ||
		say "doc/migration.md: nothing is said instead of: $purpose"
done <"$work/dashes"

# Decisions that sources name: doc/decisions.md, "Heading".
grep -rhoE --include='*.[ch]' --include='*.mk' 'decisions\.md, "[^"]*"' \
	"$srcdir/lib" "$srcdir/tools" "$srcdir/tests" "$srcdir/bench" | sed 's/.*, "//; s/"$//' | sort -u >"$work/named"
while read -r heading; do
	grep -qx "### $heading" "$srcdir/doc/decisions.md" || say "doc/decisions.md has no heading $heading"
done <"$work/named"
exit $failed
