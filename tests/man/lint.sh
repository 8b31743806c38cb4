#!/bin/sh
# SPDX-License-Identifier: MIT
# mandoc finds nothing to warn about in any page.
srcdir=${srcdir:-.}
command -v mandoc >/dev/null || { echo "mandoc is not installed"; exit 77; }

failed=0
for page in "$srcdir"/man/*.[1-9]; do
	# An alias (.so) is a warning to mandoc; symbols.sh looks at those.
	grep -q '^\.so ' "$page" && continue
	mandoc -T lint -W warning "$page" || failed=1
done
exit $failed
