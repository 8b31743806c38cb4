#!/bin/sh
# SPDX-License-Identifier: MIT
# SQLite in a heap: statements done, refused, or wrong; the connection goes on in each case. The sizes
# that the adapter tells SQLite are right.
. "$srcdir/tests/users/adapter.sh"
adapter sqlite libsqlite3-dev
expect_usage

cat >fits.sql <<'END'
CREATE TABLE orders(id INTEGER PRIMARY KEY, customer TEXT UNIQUE);
INSERT INTO orders(customer) VALUES('one'), ('two');
SELECT count(*), max(customer) FROM orders;
END
numbers='WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)'
cat >large.sql <<END
CREATE TABLE t(text TEXT);
BEGIN;
INSERT INTO t $numbers SELECT hex(randomblob(50)) FROM n;
COMMIT;
END
echo 'SELECT hex(zeroblob(100000000));' >one.sql
printf 'SELECT 1;\n\nSELECT 2\n  FROM FROM;\n' >bad.sql
{ cat fits.sql; echo "INSERT INTO orders(customer) VALUES('two');"; } >error.sql

expect 0 256k fits.sql '^adapter_sqlite: peak [0-9]* of 262144 bytes'
expect_output '2|two'
expect 3 256k large.sql 'large.sql: needs more than the budget' 'next statement of this connection: done'
expect 3 256k one.sql '(largest refused request 100000000 bytes,' 'next statement of this connection: done'
expect 1 256k bad.sql 'bad.sql: malformed input: line 4: near "FROM": syntax error'
expect_output 1
printf 'SELECT 1;\n\000SELECT 2;\n' >nul.sql
expect 1 256k nul.sql 'nul.sql: malformed input: line 2: a NUL'
expect 1 256k error.sql 'error.sql: error: line 4: UNIQUE constraint failed'
sweep fits.sql 997 98304
is_clean large.sql 256k
is_clean bad.sql 256k

"$build/tests/users/sqlite_sizes" 2>err || fail "sqlite_sizes: $(cat err)"
