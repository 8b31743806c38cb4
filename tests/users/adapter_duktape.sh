#!/bin/sh
# SPDX-License-Identifier: MIT
# A JavaScript program in Duktape in a heap: done, refused and caught, or wrong; and budgets in which
# Duktape itself has no room to start.
. "$srcdir/tests/users/adapter.sh"
adapter duktape duktape-dev
expect_usage

cat >fits.js <<'END'
var words = [];
for (var i = 0; i < 100; i++) words.push(String(i));
print(words.join(",").length);
END
echo 'for (var i = 0, a = []; i < 10000000; i++) a.push({x: i}); a = null;' >large.js
echo 'var s = "x"; while (true) s += s;' >double.js
printf 'var a = 1;\nvar b = = 2;\n' >bad.js
printf 'null.order;\n' >error.js
echo 'throw new Error("alloc failed");' >pretended.js
echo 'try { new Uint8Array(500000000); } catch (e) { print(e.message); }' >caught.js

expect 0 256k fits.js '^adapter_duktape: peak [0-9]* of 262144 bytes'
expect_output 289
expect 3 256k large.js 'large.js: needs more than the budget of 262144 bytes'
expect 3 256k double.js 'double.js: needs more than the budget' 'largest refused request [0-9]\{5,\} bytes'
expect 1 256k bad.js 'bad.js: malformed input: SyntaxError: .*(line 2)' 'next program in this engine: done'
expect 1 256k error.js "error.js: error: TypeError: cannot read property 'order'" 'engine: done'
expect 1 256k pretended.js 'pretended.js: error: Error: alloc failed'
expect 0 256k caught.js '[1-9][0-9]* requests refused'
expect 3 40k fits.js 'needs more than the budget of 40960 bytes' 'its heap is destroyed, and a new one made'
sweep fits.js 997 140000
is_clean large.js 256k
is_clean bad.js 256k
is_clean bad.js 40k
