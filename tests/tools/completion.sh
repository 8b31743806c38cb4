#!/bin/sh
# SPDX-License-Identifier: MIT
# Bash completes bheap's commands, their options (all that bheap knows, and no others) and arguments.
. "$srcdir/tests/tools/common.sh"

library=/usr/share/bash-completion/bash_completion
[ -r "$library" ] || { echo "bash-completion is not installed"; exit 77; }
command -v bash >/dev/null || { echo "bash is not installed"; exit 77; }
bheap=$PWD/tools/bheap
completion=$(cd "$srcdir" && pwd)/tools/completions/bheap
[ -x "$bheap" ] || { echo "bheap is not built"; exit 77; }
cd "$scratch" || exit 99
: >a-heap-file

# complete WORD...: what may stand for the last word, one a line; "--option = value" is one word typed
complete()
{
	bash --norc -c '
		. "$1"; . "$2"; shift 2
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*"
		COMP_LINE=${COMP_LINE// = /=} COMP_POINT=${#COMP_LINE}
		_bheap
		printf "%s\n" "${COMPREPLY[@]}"' bash "$library" "$completion" "$@" | sort
}

# offers WANTED WORD...: the word is among them
offers()
{
	wanted=$1
	shift
	complete "$@" | grep -Fqx -e "$wanted" || { complete "$@"; fail "$*: '$wanted' is not offered"; }
}

for command in run size calls show check repair snapshot; do
	offers $command bheap "$(echo $command | cut -c1-2)"
	"$bheap" $command --help | grep -o -e '--[a-z-]*' | sort -u >known
	echo --help | sort -u - known >all
	complete bheap $command -- >offered
	cmp all offered || { diff all offered; fail "$command: the options are others"; }
done
offers snapshot bheap help sn
offers 64M bheap run --size 6
offers always bheap show --color al
offers a-heap-file bheap show a-
object=/dev/shm/bheap-completion-$$
# shellcheck disable=SC2016 # the name that must not be expanded
if : >"$object"'$(touch expanded)' 2>/dev/null; then
	: >"$object"
	offers "/${object##*/}" bheap show /bheap-comp
	offers "/${object##*/}" bheap check ''
	[ ! -e expanded ] || fail "the name of a shared memory object was executed"
	rm -f "$object"*
fi
LD_PRELOAD=$preload sleep 60 &
tries=0
until grep -qs libbheap-malloc /proc/$!/maps || [ $((tries += 1)) -gt 100 ]; do sleep 0.1; done
offers $! bheap show ''
complete bheap check '' | grep -qx $! && fail "bheap check: a process is offered"
kill $!
offers a-heap-file bheap size --trace a-
offers sort bheap run sor
offers a-heap-file bheap run --size 1M sort a-
offers 64M bheap run --size = 6
offers sort bheap run --size = 1M sor
offers --reverse bheap run --size 1M sort --rev
offers --reverse bheap run --size = 1M sort --rev
finish
