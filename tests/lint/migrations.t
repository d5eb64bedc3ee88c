#!/bin/bash
# SPDX-License-Identifier: MIT
# Migrations are numbered 0001, 0002 and so on without a gap, each once; they and
# the functions are compiled in, in the order of their numbers.
. "${top_srcdir:?}/tests/lint/lint.sh"

lint()
{
	(cd "$1/core/sql" && find schema -name '*.sql' 2>/dev/null) | sort | awk -F'[/_.]' '
	{
		wanted++
		if ($2 !~ /^[0-9][0-9][0-9][0-9]$/)
			print "core/sql/" $0 ": is not named NNNN_what.sql"
		else if ($2 + 0 != wanted) {
			printf "core/sql/%s: %s %04d\n", $0, $2 + 0 < wanted ? "is a second" : "follows upon no", $2 + 0 < wanted ? $2 : $2 - 1
			wanted = $2 + 0
		}
	}'
	for kind in schema functions; do
		grep -oE "core/sql/$kind/[A-Za-z0-9_]+\.sql" "$1/core/sql/files.am" >"$TEST_DIR/listed"
		sort -C "$TEST_DIR/listed" || echo "core/sql/files.am: $kind are not in order"
		(cd "$1" && find "core/sql/$kind" -name '*.sql' 2>/dev/null | sort) | diff "$TEST_DIR/listed" - |
			sed -nE 's/^< (.*)/core\/sql\/files.am: \1 is not there/p; s/^> (.*)/\1: core\/sql\/files.am does not name it/p'
	done
}

clean 'migrations are numbered and compiled in'

rm -f "$TEST_DIR"/copy/core/sql/{schema,functions}/*
mkdir -p "$TEST_DIR"/copy/core/sql/{schema,functions}
mv "$TEST_DIR/copy" "$TEST_DIR/bare"
# migrations NAME...: a tree with just these, all listed.
migrations()
{
	rm -rf "$TEST_DIR/copy"
	cp -R "$TEST_DIR/bare" "$TEST_DIR/copy"
	(cd "$TEST_DIR/copy/core/sql/schema" && touch "$@")
	printf 'SQL_SCHEMA += core/sql/schema/%s\n' "$@" >"$TEST_DIR/copy/core/sql/files.am"
}
migrations 0001_a.sql 0002_b.sql
is "$(lint "$TEST_DIR/copy")" '' 'two that follow each other'
migrations 0001_a.sql 0003_b.sql
planted 'a gap' '^core/sql/schema/0003_b\.sql: follows upon no 0002$'
migrations 0001_a.sql 0002_b.sql 0002_c.sql
planted 'a number used twice' '^core/sql/schema/0002_c\.sql: is a second 0002$'
migrations 0001_a.sql two.sql
planted 'a name without a number' '^core/sql/schema/two\.sql: is not named'
migrations 0002_b.sql 0001_a.sql
planted 'a list that is out of order' '^core/sql/files\.am: schema are not in order$'
migrations 0001_a.sql
touch "$TEST_DIR/copy/core/sql/schema/0002_b.sql"
planted 'a migration that is not compiled in' '^core/sql/schema/0002_b\.sql: core/sql/files\.am does not name it$'
done_testing
