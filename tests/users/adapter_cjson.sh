#!/bin/sh
# SPDX-License-Identifier: MIT
# A JSON document in a heap by cJSON: printed, refused, or malformed, which cJSON itself does not tell
# apart. Heaps nest, and blocks are freed where they belong.
. "$srcdir/tests/users/adapter.sh"
adapter cjson libcjson-dev
expect_usage

awk 'BEGIN { printf "["; for (i = 1; i < 5000; i++) printf "%d,", i; print "5000]" }' >large.json
awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "[" }' >deep.json
printf '[1,\n2,,3]' >bad.json
printf '[1] 2' >more.json
printf '1\000x' >nul.json

expect 0 64k "$srcdir/tests/users/orders.json" '^adapter_cjson: peak [0-9]* of 65536 bytes'
tr -d ' \t\n' <out >printed
tr -d ' \t\n' <"$srcdir/tests/users/orders.json" >read
test "$(wc -c <printed)" -gt 300 || fail "$(cat printed)"
expect 3 128k large.json 'large.json: needs more than the budget of 131072 bytes' 'next document in this heap: done'
expect 0 1M large.json
test "$(tr -d '\t' <out | tr ',' '\n' | grep -c '[0-9]')" -eq 5000 || fail "elements are missing"
expect 1 64k bad.json 'bad.json: malformed input: line 2: no JSON' 'next document in this heap: done'
expect 1 64k more.json 'more.json: malformed input: line 1: no JSON'
expect 1 64k nul.json 'nul.json: malformed input: line 1: no JSON'
expect 1 4M deep.json 'deep.json: malformed input: line 1: no JSON' 'next document in this heap: done'
sweep "$srcdir/tests/users/orders.json" 97 16384
is_clean large.json 128k
is_clean bad.json 64k

"$build/tests/users/cjson_scopes" 2>err || fail "cjson_scopes: $(cat err)"
