#!/bin/sh
# SPDX-License-Identifier: MIT
# Names in lib/:
# - An identifier that files share (a function, type or variable of a header, or of a .c with external
#   linkage) begins with bh_ROOM, where ROOM is the name of its file, or its singular (bins: bh_bin_). The
#   exceptions are in a table below.
# - A macro or an enumeration constant of a header begins with BH_.
# - A static function or variable of a .c has no such prefix.
# - An exported name begins with bheap_, or is one of the classic four: init_heap, balloc, bfree, disp_heap.
set -eu
lib=${srcdir:-.}/lib
: "${NM:=nm}"
archive=lib/.libs/libbheap-core.a

# ROOM NAMES: shared names without their room's prefix (an extended regular expression).
exceptions='
annotate __asan_(un)?poison_memory_region
create bh_destroy
enter bh_leave(_[a-z_]+)?|bh_may_skip_lock(_by)?
granule bh_bytes|bh_round_up|bh_is_power_of_two|bh_(lowest|highest)_bit
handle bheap
'

# names_in FILE: kind and name of each declaration at the margin, where clang-format puts those of file scope.
names_in() {
	awk '
	/^\/\*/ { comment = 1 }
	comment { if (/\*\//) comment = 0; next }
	/^#define / { name = $2; sub(/\(.*/, "", name); print "macro", name; next }
	/^enum [a-z_]* \{/ { constants = 1 }
	/^\}/ { constants = 0 }
	constants && match($0, /^\t[A-Za-z_0-9]+/) { print "macro", substr($0, 2, RLENGTH - 1) }
	/^[#}{\t ]/ { next }
	{
		kind = /^static/ ? "static" : "shared"
		# The name stands before the first parenthesis, bracket, brace, equals sign or semicolon.
		gsub(/__attribute__\(\([^)]*(\([^)]*\))?\)\)|_Static_assert\(.*/, "")
		if (match($0, /^typedef .*\(\*[a-z_0-9]+\)/)) {
			sub(/.*\(\*/, ""); sub(/\).*/, "")
			print "shared", $0
		} else if (match($0, /[A-Za-z_0-9]+ *(\(|\[|\{|=|;)/)) {
			name = substr($0, RSTART, RLENGTH)
			sub(/ *.$/, "", name)
			if (/^(struct|union|enum) [a-z_0-9]+;/) next
			if (name !~ /^BH_/) print kind, name # no use of a macro
		}
	}' "$1"
}

# is_excepted ROOM NAME
is_excepted() {
	echo "$exceptions" | while read -r room names; do
		if [ "$room" = "$1" ] && echo "$2" | grep -qxE "$names"; then echo yes; fi
	done | grep -q yes
}

shared_check() {
	case $2 in bh_"$1" | bh_"$1"_* | bh_"${1%s}" | bh_"${1%s}"_* | bh_"${1}"s) return ;; esac
	case $2 in bheap_* | init_heap | balloc | bfree | disp_heap) return ;; esac
	is_excepted "$1" "$2" || echo "lib/$3: $2 does not begin with bh_${1%s}"
}

# file_check FILE ROOM: what it declares.
file_check() {
	names_in "$1" | sort -u | while read -r kind name; do
		case $kind:$name:$1 in
		macro:BH_*.h | macro:VALGRIND_*.h | macro:DTRACE_PROBE*.h | macro:*.c) ;;
		macro:*) echo "lib/${1#"$lib/"}: $name does not begin with BH_" ;;
		static:bh_*.c) echo "lib/${1#"$lib/"}: $name is static, and begins with bh_" ;;
		*:*.h) shared_check "$2" "$name" "${1#"$lib/"}" ;;
		esac
	done
}

findings=$(
	for file in "$lib"/*/*.[ch]; do
		room=$(basename "$file")
		file_check "$file" "${room%.*}"
	done

	# What the objects define for each other; other names are the compiler's own.
	$NM --defined-only --extern-only --print-file-name "$archive" 2>/dev/null |
		sed -n 's/^.*-\([a-z]*\)\.o:.* \([a-z][a-z0-9_]*\)$/\1 \2/p' |
		while read -r room name; do
			shared_check "$room" "$name" "*/$room.c"
		done

	# Without a shared library there is nothing to list.
	$NM --dynamic --defined-only lib/.libs/libbheap.so 2>/dev/null |
		awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
		grep -vxE 'bheap_[a-z0-9_]+|init_heap|balloc|bfree|disp_heap' | sed 's/$/ is exported/'

	# Both lists are there at all.
	names_in "$lib/core/bins.h" | grep -qx 'static bh_bin_of' || echo "no names could be read"
	$NM "$archive" 2>/dev/null | grep -q ' bh_enter' || echo "no symbols could be read"
)
[ -z "$findings" ] || { echo "$findings"; exit 1; }
