# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the tests that compile plugins share, after env.sh: which compilers and
# linkers there are, and short ways to build and load.

# shellcheck disable=SC2034 # for the tests
{
	include=(-I"$top_srcdir/include")
	load=${top_builddir:?}/tests/plugins/load
	c_compilers=() cxx_compilers=() linkers=()
}
for tool in gcc clang; do
	! command -v "$tool" >/dev/null || c_compilers+=("$tool")
done
for tool in g++ clang++; do
	! command -v "$tool" >/dev/null || cxx_compilers+=("$tool")
done
for tool in bfd gold lld mold; do
	! command -v "ld.$tool" >/dev/null || linkers+=("$tool")
done
[ ${#c_compilers[@]} -gt 0 ] || bail "no C compiler"
cc=${c_compilers[0]}

# compile OUTPUT SOURCE [FLAG...]: a plugin, with $cc. What the compiler says is in compile.log.
compile()
{
	local output=$1 source=$2

	shift 2
	"$cc" "${include[@]}" -fPIC -shared -Wl,-z,defs -o "$output" "$source" "$@" >compile.log 2>&1
}

# must_compile ...: the same, for sources that are no question of the test.
must_compile()
{
	compile "$@" || bail "$cc: $(head -n 3 compile.log)"
}
