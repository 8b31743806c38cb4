#!/bin/sh
# SPDX-License-Identifier: MIT
# The architecture of lib/ (doc/architecture.md), by the compiler's own list of what each file includes:
# a folder includes itself and the folders below it; the rooms of lib/ (a room is a .c and its .h) form no
# circle; core/ includes nothing of the system, os/ nothing of blocks; each kind of system call is made in
# one room.
set -eu
lib=${srcdir:-.}/lib
folders='core os handle api' # from the ground up
failed=0

say() {
	echo "$*"
	failed=1
}

# folder/room of each file and of each header of lib/ it includes, directly or not.
room_pairs() {
	${CC:-cc} -MM -DHAVE_CONFIG_H -I. -I"${srcdir:-.}/include" -iquote "$lib" "$lib"/*/*.[ch] |
		awk -v lib="$lib/" '
		function room(path) { sub(/[.][ch]$/, "", path); return substr(path, length(lib) + 1) }
		/^[^ ].*:/ { of = ""; $1 = "" }
		{
			for (i = 1; i <= NF; i++) {
				if (index($i, lib) != 1) continue
				if (of == "") of = room($i)
				else if ($i ~ /[.]h$/ && room($i) != of) print of, room($i)
			}
		}' | sort -u
}

pairs=$(room_pairs)
# The list is there at all.
echo "$pairs" | grep -qx 'api/classic api/blocks' || { echo "no includes could be read"; exit 1; }

# Downward only.
upward=$(echo "$pairs" | awk -v order="$folders" '
	BEGIN { split(order, names, " "); for (i in names) rank[names[i]] = i }
	{
		split($1, from, "/"); split($2, to, "/")
		if (!(from[1] in rank) || rank[to[1]] > rank[from[1]])
			print $1 " includes " $2 ", of a folder above"
	}')
[ -z "$upward" ] || say "$upward"

# No circles.
circle=$(echo "$pairs" | tsort 2>&1 >/dev/null || :)
[ -z "$circle" ] || say "rooms include each other: $circle"

# in_rooms PROGRAM: for each file of lib/ PROGRAM looks at the lines, with the table of standard input: two
# regular expressions a row, first[row] and second[row].
# shellcheck disable=SC2016 # for awk
in_rooms() {
	awk -v lib="$lib/" '
		NR == FNR { if (NF) { first[++rows] = $1; second[rows] = $2 }; next }
		FNR == 1 { from = substr(FILENAME, length(lib) + 1); sub(/[.].*/, "", from); comment = 0 }
		'"$1"' END { if (!rows) print "no table could be read" }' - "$lib"/*/*.[ch]
}

# ROOMS HEADERS: includes that are not allowed although they lie below (extended regular expressions).
# shellcheck disable=SC2016 # for awk
found=$(in_rooms '
	/^#include / {
		for (row = 1; row <= rows; row++)
			if (from ~ "^(" first[row] ")$" && $0 ~ "^#include [\"<](" second[row] ")[\">]")
				print FNR ":" $0 "\n... is included by " from ", which must not know it"
	}' <<'END'
core/.* (errno|pthread|unistd|fcntl|poll|signal|sys/(mman|stat|types|syscall|auxv|single_threaded))[.]h
os/.* core/(map|bins|control|layout|core|index|alloc|free|resize|rebuild|verify|trailer)[.]h
api/classic (core|os|handle)/.*
END
)
[ -z "$found" ] || say "$found"

# CALLS: the rooms that make them. Comments are taken out first.
# shellcheck disable=SC2016 # for awk
found=$(in_rooms '
	comment { comment = !/\*\//; next }
	{ sub(/\/\*.*\*\//, "") }
	/^\/\*/ { comment = 1; next }
	/\(/ {
		for (row = 1; row <= rows; row++)
			if (from !~ "^(" second[row] ")$" && $0 ~ "(^|[^a-z_>.])(" first[row] ")[(]")
				print $0 "\n... is called in " from "; only " second[row] " may"
	}' <<'END'
mmap|munmap|mprotect|madvise|msync|ftruncate|fallocate|posix_fallocate os/region
getauxval|getrandom os/secret
shm_open|shm_unlink|unlink|fcntl|fstat|lseek|pread|pwrite os/file
pthread_mutex_[a-z]+|pthread_spin_[a-z]+ os/lock
pthread_atfork os/fork
clock_nanosleep os/wait
secure_getenv os/setting
fprintf|fputs|fflush api/(show|chart|classic)
malloc|calloc|realloc|free none
END
)
[ -z "$found" ] || say "$found"

exit $failed
