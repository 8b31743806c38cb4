#!/bin/sh
# SPDX-License-Identifier: MIT
# The proof of the proof: with two stores of the library in the wrong order, killpoints must fail.
# Usage: swapped.sh SOURCE_FOLDER, in the build folder, after killpoints was built.
set -eu
source=$1
build=$(pwd)
work=$build/swapped.tmp
flags="-std=gnu11 -O2 -D_GNU_SOURCE -DHAVE_CONFIG_H -I$build -I$source/include -iquote $work"
parts=
for part in corpus killpoints expect heap_file stepper; do
	parts="$parts $build/tests/crash/$part.o"
done
number=0
failed=0

# move FILE FUNCTION LINE TARGET before|after: in the function, moves the first line that contains
# LINE to before or after the first one that contains TARGET. Fails if either is not there.
move() {
	awk -v room="$2" -v line="$3" -v target="$4" -v where="$5" '
		{ text[NR] = $0 }
		index($0, room "(") && !/;$/ { inside = 1 }
		inside && !from && index($0, line) { from = NR }
		inside && !to && index($0, target) { to = NR }
		/^}/ { inside = 0 }
		END {
			if (!from || !to)
				exit 1
			for (n = 1; n <= NR; n++) {
				if (n == to && where == "before")
					print text[from]
				if (n != from)
					print text[n]
				if (n == to && where == "after")
					print text[from]
			}
		}' "$source/lib/$1" >"$work/$1" || {
		echo "Bail out! $1 has no such lines in $2() any more: adapt $0"
		exit 1
	}
}

# Every file of the library that includes another finds it in the work folder, changed or not.
begin() {
	rm -rf "$work"
	mkdir "$work"
	cp -R "$source"/lib/*/ "$work"
}

# expect_red SOURCES OPERATION DESCRIPTION: killpoints, built with these files of the library as they
# are in the work folder, must find failures in the operation.
expect_red() {
	number=$((number + 1))
	for file in $1; do
		$CC $flags ${CFLAGS-} -c -o "$work/${file%.c}.o" "$work/$file"
	done
	# The archive gives only what these objects do not have.
	$CC ${CFLAGS-} -Wl,-z,now -o "$work/killpoints" "$work"/*/*.o $parts \
		"$build/lib/.libs/libbheap-core.a" -lpthread
	if "$work/killpoints" --only "$2" >"$work/log" 2>&1; then
		verdict="not ok"
		failed=1
	elif grep -q '^not ok' "$work/log"; then
		verdict="ok"
	else
		cat "$work/log"
		verdict="not ok"
		failed=1
	fi
	echo "$verdict $number - $3: $(grep -c '^# .*killed after' "$work/log" || :) deaths found bad"
	begin
}

begin
trap 'rm -rf "$work"' EXIT
echo "1..11"

move core/free.c merge_free_neighbours 'bh_map_clear_used(&core->map, block)' \
	'bh_map_clear_start(&core->map, with.next)' after
expect_red core/free.c "free, merge right" "free swallows its neighbour before it is free"

move core/resize.c block_shrink 'bh_map_set_start(&core->map, rest' \
	'bh_map_clear_start(&core->map, next)' after
expect_red core/resize.c "shrink, merge right" "shrink swallows its neighbour before it is split"

move core/resize.c block_grow 'bh_map_clear_start(&core->map, next)' 'start of the rest first' before
expect_red core/resize.c "grow with rest" "grow swallows its neighbour before that is split"

move core/map.c bh_map_split 'used, 0' 'start, bh_map_bit' after
expect_red core/map.c "alloc split, first start of a word" "a start comes before the tag is gone"

move core/free.c merge_free_neighbours 'bh_map_tag(&core->map, begin, end)' \
	'bh_map_clear_used(&core->map, block)' before
expect_red core/free.c "free, merge right, last start of a word" "a tag comes before the start is gone"

move core/alloc.h bh_alloc_commit 'control->pending = block' 'bh_map_set_used' after
expect_red core/alloc.c "alloc_into, split" "a block is allocated before it is pending"

move api/slots.c into_once 'slot_intend(heap, offset)' 'bh_shared_store(slot, bh_bytes(block))' after
expect_red api/slots.c "alloc_into, split" "a slot is filled before it is told of"

move api/slots.c slot_free 'bh_shared_store(slot, 0)' 'slot_intend' before
expect_red api/slots.c "free_from, merge both" "a slot is emptied before its block is pending"

move handle/intent.c bh_intent_roll_back 'pending = 0' 'bh_shared_store(&heap->shared->slot, 0)' after
expect_red handle/intent.c "alloc_into, split" "a slot is forgotten before its block is rolled back"

move core/reset.c bh_reset 'bh_map_clear(&core->map' 'BH_ROOT_RESET' before
expect_red core/reset.c "reset" "blocks are freed before it is told that all are"

move core/reset.c bh_reset 'root_store(control, 0)' 'bh_map_clear(&core->map' before
expect_red core/reset.c "reset" "it is told that all is done before it is"

exit $failed
