#!/bin/bash
# SPDX-License-Identifier: MIT
# Each of the forty sharp edges of the original has a test that is run, or a line
# in tests/README.md that says why it cannot arise.
. "${top_srcdir:?}/tests/lint/lint.sh"

lint()
{
	local n name file

	for n in $(seq -w 1 40); do
		grep -qE "^(def edge_${n}_|- edge_${n}: )" "$1"/tests/README.md "$1"/tests/s*/*.t ||
			echo "tests/README.md: edge $n has neither a test nor a reason"
	done
	for file in "$1"/tests/s*/*.t; do
		for name in $(sed -nE 's/^def (edge_[0-9]+_[a-z0-9_]*).*/\1/p' "$file"); do
			grep -q 'globals()' "$file" || [ "$(grep -cw "$name" "$file")" -gt 1 ] ||
				echo "${file#"$1/"}: $name is never run"
		done
	done
}

clean 'each edge has its test or its reason'

sed -i '/^- edge_29: /d' "$TEST_DIR/copy/tests/README.md"
planted 'an edge without its reason' '^tests/README\.md: edge 29 has neither'
sed -i 's/^def edge_23_/def edgy_23_/' "$TEST_DIR/copy/tests/sql/edges.t"
planted 'an edge without its test' '^tests/README\.md: edge 23 has neither'
echo 'def edge_01_more(h):' >>"$TEST_DIR/copy/tests/sql/edges.t"
planted 'a test that is never run' '^tests/sql/edges\.t: edge_01_more is never run'
done_testing
