#!/bin/sh
# SPDX-License-Identifier: MIT
# An XML document in a heap by libxml2: counted, refused, or malformed. What libxml2 keeps for the
# program is not in the document's heap.
. "$srcdir/tests/users/adapter.sh"
adapter libxml2 libxml2-dev
expect_usage

cat >fits.xml <<'END'
<?xml version="1.0"?>
<!DOCTYPE orders [<!ENTITY unit "piece"><!ATTLIST order count CDATA "1">]>
<orders xmlns:x="urn:x"><order x:unit="&unit;">caf&#233;<![CDATA[ < ]]></order><!-- -->
<?next order?><order/></orders>
END
awk 'BEGIN { print "<r>"; for (i = 0; i < 5000; i++) print "<i a=\"1\">x</i>"; print "</r>" }' >large.xml
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "<a>" }' >deep.xml
printf '<r>\n<i>\n</r>\n' >bad.xml

expect 0 256k fits.xml '^adapter_libxml2: peak [0-9]* of 262144 bytes'
expect_output '3 elements'
expect 3 512k large.xml 'large.xml: needs more than the budget of 524288 bytes' 'next document in this heap: done'
expect 0 4M large.xml
expect_output '5001 elements'
expect 1 256k bad.xml 'bad.xml: malformed input: line [34]: ' \
	'next document in this heap: done'
expect 1 4M deep.xml 'deep.xml: malformed input: line 1: .*[Dd]epth'
sweep fits.xml 499 65536
is_clean large.xml 512k
is_clean bad.xml 256k

"$build/tests/users/libxml2_scopes" 2>err || fail "libxml2_scopes: $(cat err)"
