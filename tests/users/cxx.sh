# SPDX-License-Identifier: MIT
# What the scripts share that compile C++ programs of this folder, after common.sh.

cxx_warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Wnon-virtual-dtor
	-Woverloaded-virtual -Wundef -Wredundant-decls -Werror"

# cxx_knows COMPILER STANDARD: it compiles programs of that standard, with the library of C++17. Each is
# tried once, and the answer kept.
cxx_knows()
{
	! grep -qxF "yes $1 $2" cxx_known 2>/dev/null || return 0
	! grep -qxF "no $1 $2" cxx_known 2>/dev/null || return 1
	echo '#include <memory_resource>' >probe.cpp
	echo 'int main() { return 0; }' >>probe.cpp
	if $1 $CXXFLAGS -std="$2" probe.cpp $LDFLAGS -o probe 2>probe.err && ./probe; then
		echo "yes $1 $2" >>cxx_known
	else
		echo "no $1 $2" >>cxx_known
		return 1
	fi
}

# The compiler of the build; and others that are here, where its flags are not meant for it alone.
cxx_compilers()
{
	echo "$CXX"
	is_plain || return 0
	for other in g++ clang++; do
		test "$other" = "$CXX" || ! command -v "$other" >/dev/null || echo "$other"
	done
}

# cxx_build COMPILER STANDARD NAME OPTIONS...: NAME.cpp without a warning, linked as its users' programs are.
cxx_build()
{
	cxx_compiler=$1 cxx_standard=$2 cxx_name=$3
	shift 3
	$cxx_compiler $CXXFLAGS -std="$cxx_standard" $cxx_warnings "$@" -pthread -I"$srcdir/include" \
		-c "$srcdir/tests/users/$cxx_name.cpp" -o "$cxx_name.o" || return 1
	"$build/libtool" --quiet --tag=CXX --mode=link $cxx_compiler $CXXFLAGS $LDFLAGS -pthread \
		"$cxx_name.o" -o "$cxx_name" lib/libbheap.la
}

# cxx_try COMPILER STANDARD NAME OPTIONS...: builds and runs it.
cxx_try()
{
	cxx_build "$@" || fail "$*: does not build"
	"./$3" || fail "$*: ended with $?"
	cxx_tried=$((${cxx_tried:-0} + 1))
}

# cxx_matrix NAME: NAME.cpp in each mode: with and without RTTI and exceptions, in each standard; last as the
# build's compiler makes it, which stays. That one alone has debug information: it takes a quarter of the time
# and changes no code.
cxx_matrix()
{
	cxx_compilers >compilers
	while read -r compiler; do
		cxx_knows "$compiler" c++17 || continue
		for standard in c++20 c++2b; do
			! cxx_knows "$compiler" $standard ||
				cxx_try "$compiler" $standard "$1" -O1 -g0 -fno-rtti -fno-exceptions
		done
		test "$compiler" = "$CXX" || cxx_try "$compiler" c++17 "$1" -g0
	done <compilers
	for without in -fno-rtti -fno-exceptions; do
		cxx_try "$CXX" c++17 "$1" -O1 -g0 $without
	done
	cxx_try "$CXX" c++17 "$1"
}
