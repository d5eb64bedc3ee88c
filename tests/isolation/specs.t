#!/bin/bash
# SPDX-License-Identifier: MIT
# The races between sessions, statement by statement: PostgreSQL's isolationtester
# runs each spec in a database of its own, and says the same as it is expected to.
# PULP_TEST_ACCEPT=1 writes what it says to the source tree instead.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"
pg_start

tester=
for tester in $(printf '%s\n' /usr/lib/postgresql/*/lib/pgxs/src/test/isolation/isolationtester | sort -rV); do
	[ ! -x "$tester" ] || break
done
[ -x "$tester" ] || bail 'isolationtester is missing: apt-get install postgresql-client-15'

pg_new_database template
for file in "$top_srcdir"/core/sql/schema/*.sql "$top_srcdir"/core/sql/functions/*.sql \
	"$top_srcdir/tests/isolation/helpers.sql"; do
	sql - -1 <"$file" >/dev/null 2>"$TEST_DIR/err" || bail "$file: $(cat "$TEST_DIR/err")"
done
for spec in "$top_srcdir"/tests/isolation/specs/*.spec; do
	name=$(basename "$spec" .spec)
	wanted=$top_srcdir/tests/isolation/expected/$name.out
	# A permutation begins with a fresh database: what the last one left is not undone by a spec's teardown.
	sed '/^permutation/,$d' "$spec" >"$TEST_DIR/head"
	grep '^permutation' "$spec" | while read -r permutation; do
		PGOPTIONS="-c client_min_messages=error" sql "drop database if exists \"$name\"" -d postgres
		sql "create database \"$name\" template template" -d postgres
		{
			cat "$TEST_DIR/head"
			echo "$permutation"
		} | timeout 60 "$tester" "dbname=$name" 2>&1 | grep -vE '^(Parsed test spec|unused step name)' |
			awk '/^[a-z]+: NOTIFY / { heard = heard $0 "\n"; next } { print } END { printf "%s", heard }' # whenever they are heard
	done >"$TEST_DIR/$name.out"
	if [ -n "${PULP_TEST_ACCEPT:-}" ]; then
		cp "$TEST_DIR/$name.out" "$wanted"
	fi
	run diff -u "$wanted" "$TEST_DIR/$name.out"
	ok "$status" "$name" || diag "$out" "$err"
done
done_testing
