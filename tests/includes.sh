#!/bin/sh
# SPDX-License-Identifier: MIT
# The rooms of lib/ in their order, and what follows from it: a room includes rooms of its own floor
# and below; what must not know the system includes none of it; each kind of system call has one
# room that makes it.
set -eu
lib=${srcdir:-.}/lib
failed=0

# From the ground up, a floor a line. A new room gets its place here.
floors='
granule annotate probe
region file lock fault
map
bins
layout
heap block fast resize rebuild
trailer
handle shared fill
walk stats check chart
attach
api realloc show make open slots
classic
'

# ROOM: headers that it must not include, above or not (an extended regular expression).
system='(errno|pthread|unistd|fcntl|poll|signal|sys/[a-z_]+)[.]h'
strangers='
map lock|region|file|fault|'$system'
bins lock|region|file|fault|'$system'
layout lock|region|file|fault|'$system'
heap lock|region|file|fault|'$system'
block lock|region|file|fault|'$system'
fast lock|region|file|fault|'$system'
resize lock|region|file|fault|'$system'
rebuild lock|region|file|fault|'$system'
trailer lock|region|file|fault|'$system'
region lock|file|fault|granule
file lock|region|fault|granule
classic heap|handle|map|bins|lock|region
'

# CALLS: who alone makes them.
callers='
mmap|munmap|mprotect|madvise|msync|ftruncate|posix_fallocate region.c
shm_open|shm_unlink|unlink|fcntl|fstat|pread|pwrite file.c
pthread_mutex_[a-z]+ lock.[ch]|fault.c
pthread_spin_[a-z]+ lock.[ch]
clock_nanosleep lock.c
pthread_atfork lock.c
fprintf|fputs|fflush show.c|chart.c|classic.c
malloc|calloc|realloc|free nobody
'

say() {
	echo "$*"
	failed=1
}

includes_of() {
	sed -n 's/^#include ["<]\([^">]*\)[">].*/\1/p' "$1"
}

floor_of() {
	echo "$floors" | awk -v room="$1" '{ for (i = 1; i <= NF; i++) if ($i == room) print NR }'
}

# The directions.
for file in "$lib"/*.[ch]; do
	name=${file##*/}
	room=${name%.*}
	floor=$(floor_of "$room")
	if [ -z "$floor" ]; then
		say "$name: a room without a place in the order"
		continue
	fi
	for header in $(includes_of "$file"); do
		[ -e "$lib/$header" ] || continue
		other=$(floor_of "${header%.h}")
		[ "${other:-0}" -le "$floor" ] || say "$name includes $header, of a floor above"
	done
done

# Who must not know whom.
while read -r room list; do
	[ -n "$room" ] || continue
	for file in "$lib/$room".[ch]; do
		[ -e "$file" ] || continue
		for header in $(includes_of "$file"); do
			if echo "$header" | grep -qxE "($list)|($list)[.]h" && [ "$header" != "$room.h" ]; then
				say "${file##*/} includes $header, which it must not know"
			fi
		done
	done
done <<END
$strangers
END

# Who calls what. Comments are taken out first.
while read -r calls allowed; do
	[ -n "$calls" ] || continue
	for file in "$lib"/*.[ch]; do
		name=${file##*/}
		echo "$name" | grep -qxE "$allowed" && continue
		if sed 's|/\*.*\*/||; /^\/\*/,/\*\//d' "$file" | grep -E "(^|[^a-z_>.])($calls)\("; then
			say "... is called in $name; only $allowed may"
		fi
	done
done <<END
$callers
END

exit $failed
