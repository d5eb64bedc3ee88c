#!/bin/bash
# SPDX-License-Identifier: MIT
# A PostgreSQL that is too old: every program says so, and writes nothing. Run by
# check-pg, with the server programs of such a one.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"

pg_start
# Everything in the database that is no part of a new one.
everything='select count(*) from pg_class where oid >= 16384 union all select count(*) from pg_proc where oid >= 16384
	union all select count(*) from pg_extension where oid >= 16384 union all select count(*) from pg_namespace where oid >= 16384'
before=$(sql "$everything" | xargs)
exits 78 'the schema is not installed' pulp-task db install
like "$err" 'PostgreSQL [0-9.]+ is too old: [0-9]+ or newer is needed' 'and why is said'
exits 78 'check' pulp-task db check
like "$err" 'is too old' 'says why'
exits 78 'a task' pulp-task dispatch example.greet
like "$err" 'is too old' 'says why'
exits 78 'a worker' timeout 30 pulp-worker
like "$err" 'is too old' 'says why'
exits 78 'a worker on a private PostgreSQL' timeout 30 pulp-worker --database "embedded:$TEST_DIR/private"
like "$err" 'private PostgreSQL: version [0-9]+ in .* is too old: [0-9]+ or newer is needed' 'and why is said'
is "$(sql "$everything" | xargs)" "$before" 'nothing was written'
is "$(find "$TEST_DIR/private" -name 'pg*')" '' 'no private one was made'
done_testing
