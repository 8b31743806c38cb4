#!/bin/sh
# SPDX-License-Identifier: MIT
# A Lua script in a heap: done, refused and caught, or wrong; the state goes on in each case. The trace
# of a run tells how large its heap must be.
. "$srcdir/tests/users/adapter.sh"
adapter lua liblua5.4-dev
expect_usage

cat >fits.lua <<'END'
local words = {}
for i = 1, 100 do words[i] = tostring(i) end
print(#words, #table.concat(words, ","))
END
cat >large.lua <<'END'
local t = {}
for i = 1, 10000000 do t[i] = {i} end
END
echo 'print(#string.rep("x", 500000000))' >one.lua
printf 'local x = 1\nlocal y = = 2\n' >bad.lua
printf '\n\nerror("no order")\n' >error.lua
echo 'error({})' >object.lua
printf '\033LuaT' >compiled.lua
# The refusal is an error as any other: a script may catch it, and go on.
echo 'print(pcall(string.rep, "x", 500000000))' >caught.lua

expect 0 64k fits.lua '^adapter_lua: peak [0-9]* of 65536 bytes'
expect_output '100	291'
expect 3 64k large.lua 'large.lua: needs more than the budget of 65536 bytes' 'next script in this state: done'
expect 3 64k one.lua '(largest refused request 500000000 bytes,' 'next script in this state: done'
expect 1 64k bad.lua 'bad.lua: malformed input: line 2: unexpected symbol' 'next script in this state: done'
expect 1 64k error.lua 'error.lua: error: line 3: no order'
expect 1 64k object.lua 'object.lua: error: an error value'
expect 1 64k compiled.lua 'malformed input: attempt to load a binary chunk'
expect 0 64k caught.lua '1 requests refused'
expect_output 'false	not enough memory'
sweep fits.lua 499 65536

# A trace of the heap, and what bheap(1) says of it: so much, and 4 KiB for the text, suffices.
echo 'local t = {} for i = 1, 5000 do t[i] = tostring(i) end print(#t)' >measured.lua
if test -x "$build/tools/bheap"; then
	$program -t trace measured.lua >out 2>err || fail "with a trace: $(cat err)"
	smallest=$("$build/tools/bheap" size -j -t trace | sed -n 's/^ *"smallest":\([0-9]*\),$/\1/p' | sed q)
	test "${smallest:-0}" -gt 262144 || fail "smallest: $smallest"
	expect 0 $((smallest + 4096)) measured.lua
	expect 3 $((smallest / 2)) measured.lua
	$program -b 64k -t trace large.lua 2>err && fail "large.lua with a trace"
	"$build/tools/bheap" size -t trace >out || fail "the trace of a script that was refused"
	$program -t ./missing/trace measured.lua >out 2>err && fail "a trace that cannot be written"
	grep -q 'missing/trace: No such file' err || fail "$(cat err)"
fi
is_clean large.lua 64k
is_clean bad.lua 64k
