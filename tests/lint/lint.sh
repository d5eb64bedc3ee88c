# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the lints share. A lint is a test that defines
#
#	lint TREE    prints what is wrong in TREE, one "FILE:LINE: text" or
#	             "FILE: text" a line, FILE relative to TREE
#
# and shows with clean that this tree has nothing of it, and with planted that
# what it is there for is caught. An exemption is a line in tests/lint/exemptions.

# shellcheck source=tests/lib/env.sh
. "${top_srcdir:?}/tests/lib/env.sh"

# files TREE PATTERN...: the files below core, plugins, include, tests and .ci of
# TREE, and those on top of it, whose name matches one of the patterns and that
# people wrote, relative to TREE.
files()
{
	local tree=$1 pattern names=()

	shift
	for pattern in "$@"; do
		names+=(-o -name "$pattern")
	done
	(cd "$tree" && find bootstrap configure.ac Makefile.am .ci core include man plugins tests \
		-type d \( -name .deps -o -name .libs -o -name __pycache__ \) -prune -o \
		-type f \( -false "${names[@]}" \) -print 2>/dev/null) |
		grep -vE '^(core/sql/sql\.[ch]|include/pulp/version\.h)$' | sort
}

# scripts TREE: the files that are shell scripts, by name or first line.
scripts()
{
	local file

	(files "$1" '*.sh' '*.t' && files "$1" '[a-z]*' | grep -vE '\.[a-z0-9]+$') | sort -u | while read -r file; do
		case $file in
		*.sh) echo "$file" ;;
		*) ! head -n 1 "$1/$file" | grep -aqE '^#!/bin/(ba)?sh' || echo "$file" ;;
		esac
	done
}

# exempt LINT PATH[:NAME]: the limit of the exemption; fails if there is none. A
# path that ends in / is for all below it.
exempt()
{
	awk -v lint="$1" -v what="$2" '
	$1 == lint && ($2 == what || $2 ~ /\/$/ && index(what, $2) == 1) { print $3; found = 1; exit }
	END { exit !found }' "$top_srcdir/tests/lint/exemptions"
}

# clean 'what it shows': good if the tree is clean.
clean()
{
	local problems

	problems=$(lint "$top_srcdir")
	is "$problems" '' "$1"
}

# plant FILE: puts standard input into FILE of a copy of the tree.
plant()
{
	mkdir -p "$TEST_DIR/copy/$(dirname "$1")"
	cat >"$TEST_DIR/copy/$1"
}

# planted 'what is wrong' REGEX: good if lint finds it in the copy as it has been
# made by plant and its like, in a line that matches; the copy is made anew.
planted()
{
	local problems

	problems=$(lint "$TEST_DIR/copy")
	grep -qE "$2" <<<"$problems"
	ok $? "it is caught: $1" || diag "found:  $problems" "wanted: $2"
	copy_tree
}

# A fresh copy of the tree in $TEST_DIR/copy.
copy_tree()
{
	local part

	rm -rf "$TEST_DIR/copy"
	mkdir "$TEST_DIR/copy"
	"$copy_all" || return 0
	for part in core plugins include tests man configure.ac Makefile.am bootstrap .ci; do
		if [ -e "$top_srcdir/$part" ]; then
			cp -R "$top_srcdir/$part" "$TEST_DIR/copy/"
		fi
	done
	chmod -R u+w "$TEST_DIR/copy" # make distcheck has a read-only tree
}
copy_all=true
copy_tree

# From here on the copies are empty but for what is planted: for a slow lint.
bare_copy()
{
	copy_all=false
	copy_tree
}
