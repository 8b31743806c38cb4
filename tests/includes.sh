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
	for file in "$lib"/*/*.[ch]; do
		from=${file#"$lib/"}
		${CC:-cc} -MM -DHAVE_CONFIG_H -I. -I"${srcdir:-.}/include" -iquote "$lib" "$file" |
			tr ' \\' '\n\n' | sed -n "s|^$lib/\(.*\)\.h\$|${from%.*} \1|p"
	done | sort -u | awk '$1 != $2'
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

# ROOMS HEADERS: includes that are not allowed although they lie below (extended regular expressions).
while read -r rooms headers; do
	[ -n "$rooms" ] || continue
	for file in "$lib"/*/*.[ch]; do
		from=${file#"$lib/"}
		echo "${from%.*}" | grep -qxE "$rooms" || continue
		grep -nE "^#include [\"<]($headers)[\">]" "$file" && say "... is included by $from, which must not know it"
	done
done <<'END'
core/.* (errno|pthread|unistd|fcntl|poll|signal|sys/(mman|stat|types|syscall|auxv|single_threaded))[.]h
os/.* core/(map|bins|control|layout|core|index|alloc|free|resize|rebuild|verify|trailer)[.]h
api/classic (core|os|handle)/.*
END

# CALLS: the rooms that make them. Comments are taken out first.
while read -r calls rooms; do
	[ -n "$calls" ] || continue
	for file in "$lib"/*/*.[ch]; do
		from=${file#"$lib/"}
		echo "${from%.*}" | grep -qxE "$rooms" && continue
		sed 's|/\*.*\*/||; /^\/\*/,/\*\//d' "$file" | grep -E "(^|[^a-z_>.])($calls)\(" &&
			say "... is called in $from; only $rooms may"
	done
done <<'END'
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

exit $failed
