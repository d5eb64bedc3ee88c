#!/bin/bash
# SPDX-License-Identifier: MIT
# Every header compiles alone and twice, without a warning: ours as we compile,
# the installed ones as C99 and C++11 too, with each compiler that is here.
. "${top_srcdir:?}/tests/lint/lint.sh"

# found NAME...: those that are here, each once.
found()
{
	local name seen=' '

	for name in "$@"; do
		name=$(command -v "$name") && [[ $seen != *" $(realpath "$name") "* ]] || continue
		seen+="$(realpath "$name") "
		basename "$name"
	done
}
mapfile -t compilers < <(found gcc clang clang-14)
mapfile -t compilers_cxx < <(found g++ clang++ clang++-14)
read -r -a libraries < <(pkg-config --cflags libpq jansson uuid libcrypto smartcols libcurl 2>/dev/null | xargs)
warnings=(-Wall -Wextra -Werror -Wno-unused-function)

# compile TREE HEADER COMPILER ARG...: prints the first complaint.
compile()
{
	local tree=$1 header=$2 compiler=$3 message

	shift 3
	message=$(printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
		"$compiler" -fsyntax-only "${warnings[@]}" "$@" -I"$tree/core" -I"$tree/include" -I"$tree/tests" -I"$tree/plugins" \
			-I"$top_builddir/core" -I"$top_builddir/include" "${libraries[@]}" - 2>&1) ||
		echo "${header}: $compiler $1: $(grep -m 1 -E 'error|warning' <<<"$message")"
}

lint()
{
	local header compiler

	for header in $(cd "$1" && files . '*.h'); do
		for compiler in "${compilers[@]}"; do
			compile "$1" "$1/$header" "$compiler" -std=gnu17 -D_GNU_SOURCE -Wshadow -x c
		done
		[[ $header == include/* ]] || continue
		for compiler in "${compilers[@]}"; do
			compile "$1" "$1/$header" "$compiler" -std=c99 -pedantic -x c
		done
		for compiler in "${compilers_cxx[@]}"; do
			compile "$1" "$1/$header" "$compiler" -std=c++11 -pedantic -x c++
		done
	done | sed "s|^$1/||"
}

diag "with ${compilers[*]} ${compilers_cxx[*]}"
clean 'headers compile alone'

bare_copy
plant core/base/needy.h <<<'size_t length(const char *text);'
planted 'a header that needs another first' '^core/base/needy\.h: [a-z]+.* unknown type name'
plant core/base/guard.h <<<'struct twice { int x; };'
planted 'a header without a guard' '^core/base/guard\.h: [a-z]+.* redefinition of'
plant include/pulp/modern.h <<<$'#ifndef M\n#define M\nstatic inline int one(void) { int x = 1; return ({ x; }); }\n#endif'
planted 'an installed header with an extension of GNU' '^include/pulp/modern\.h: [a-z]+.* -std=c99: '
plant include/pulp/conly.h <<<$'#ifndef M\n#define M\nstatic inline int *one(void *x) { return x; }\n#endif'
planted 'an installed header that is no C++' '^include/pulp/conly\.h: [a-z+]+.* -std=c\+\+11: '
done_testing
