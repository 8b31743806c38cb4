#!/bin/sh
# SPDX-License-Identifier: MIT
# The library never calls its own exported names by way of the dynamic linker: a program may have
# a bfree() of its own. So no relocation of the shared library names one of them.
set -eu
: "${READELF:=readelf}"
library=lib/.libs/libbheap.so

[ -e "$library" ] || { echo "no shared library was built"; exit 77; }
command -v "$READELF" >/dev/null || { echo "no $READELF"; exit 77; }

relocations=$("$READELF" --wide --relocs "$library")
# The list is there at all: what the library needs of the C library is in it.
echo "$relocations" | grep -q 'mmap' || { echo "no relocations could be read"; exit 1; }
if echo "$relocations" | grep -E ' (bheap_[a-z_]+|balloc|bfree|init_heap|disp_heap)(@|$| )'; then
	echo "the names above can be taken over by a program"
	exit 1
fi

# The default heap, of which there is one for a program, outlives dlclose(3): so does the library.
"$READELF" --wide --dynamic "$library" | grep -q NODELETE || { echo "dlclose() unmaps the library"; exit 1; }
