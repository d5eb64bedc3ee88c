#!/bin/bash
# SPDX-License-Identifier: MIT
# pulp-task db: a database that is missing, refuses, is read-only, lacks the
# schema, has a newer or an older one; the private PostgreSQL, as root and as an
# ordinary user.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"

pg_start

# --- somebody's server ---

exits 78 'no schema: check says so' pulp-task db check
like "$err" "lacks our schema: run 'pulp-task db install'" 'and what to do'
like "$out" 'schema +missing' 'and what stands'
run_ok 'install' pulp-task db install
like "$out" '^installed the schema \(number [0-9]+\) in database pulp at /tmp/' 'says what it did'
run_ok 'check' pulp-task db check
like "$out" 'schema +current' 'the schema is there'
like "$out" 'kind +stands alone' 'without a Pulp'
unlike "$out" 'connection' 'the connection string is not shown'
run_ok 'a second install' pulp-task db install
like "$out" 'is up to date' 'does nothing'
run_ok 'check --json' pulp-task db check --json
is "$(echo "$out" | python3 -c 'import json,sys; d=json.load(sys.stdin); print(d["schema"], d["functions_current"], d["live_pulp"], d["hstore"], d["conninfo"])' 2>&1)" \
	'current True False public None' 'is JSON'
id=$(sql "select pulp_id from pulp_worker.dispatch('example.greet')")

sql "insert into pulp_worker.migration (number, name) values (9999, '9999_future')"
exits 78 'a newer schema is refused' pulp-task db install
like "$err" 'newer than this program' 'clearly'
exits 78 'by check too' pulp-task db check
sql "delete from pulp_worker.migration where number = 9999"
sql "update pulp_worker.setting set value = 'x' where name = 'functions'"
exits 78 'other functions: check says so' pulp-task db check
run_ok 'install' pulp-task db install
like "$out" '^made the functions in database' 'makes them anew'

exits 64 'uninstall asks' pulp-task db uninstall
is "$(sql "select count(*) from pg_namespace where nspname = 'pulp_worker'")" 1 'and does nothing'
run_ok 'uninstall --yes' pulp-task db uninstall --yes
is "$(sql 'select pulp_id from core_task')" "$id" 'tasks stay'
is "$(sql "select count(*) from pg_trigger where tgname like 'pulp_worker%'")" 0 'triggers go'
run_ok 'uninstall again' pulp-task db uninstall --yes
like "$out" 'there is no schema of ours' 'says so'
run_ok 'install beside the tables' pulp-task db install
like "$out" 'beside the tables that are there' 'says so'

pg_new_database empty
sql 'create role plain login; create role reader login; alter role reader set default_transaction_read_only = on'
exits 78 'a role without rights' env PULP_DATABASE="$PULP_DATABASE user=plain" pulp-task db install
like "$err" 'grant create on' 'is told what it needs'
exits 78 'a read-only database' env PULP_DATABASE="$PULP_DATABASE user=reader" pulp-task db install
like "$err" 'read-only' 'is named so'
exits 69 'a database that is not there' pulp-task --database "host=$PGHOST user=postgres dbname=nosuch" db check
like "$err" 'database "nosuch" does not exist' 'is named'
exits 69 'a server that is not there' pulp-task --database 'host=/nowhere' db check
exits 69 'a role that is not there' pulp-task --database "host=$PGHOST user=nosuch dbname=pulp" db check
exits 78 'a connection string that is none' pulp-task --database 'host=/tmp password=my secret' db check
unlike "$err" 'secret' 'its password is not shown'
exits 64 'a server of somebody else is not stopped' pulp-task db stop
exits 64 'an unknown verb' pulp-task db frobnicate
(unset PGHOST PGPORT PGUSER PGDATABASE PULP_DATABASE; pulp-task db check >out 2>err; echo $? >status)
is "$(cat status)" 78 'nothing is configured'
like "$(cat err)" 'PULP_DATABASE to a connection string' 'what can be done is said'
like "$(tail -n 1 err)" '^ *or set PULP_DATABASE=embedded:' 'and the other thing, on a second line'
is "$(wc -l <err)" 2 'in two lines'
pg_stop
exits 69 'a server that was stopped' pulp-task db check
unset PGHOST PGPORT PGUSER PGDATABASE PULP_DATABASE

# --- the private one ---

# private COMMAND...: all of it, for an account that COMMAND becomes.
private()
{
	local pids=() pid failed=0 started

	for i in 1 2 3 4 5 6; do
		"$@" pulp-task --database embedded: db check >"$TEST_DIR/private.$i" 2>"$TEST_DIR/private.err.$i" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid" || failed=$((failed + 1))
	done
	is "$failed" 0 'six at once succeed'
	started=$(cat "$TEST_DIR"/private.err.* | grep -c 'started a private PostgreSQL: host=')
	is "$started" 1 'one of them has started it and says so'
	is "$(sort -u "$TEST_DIR"/private.[1-6] | grep -c '^connection')" 1 'all found the same one'
	rm -f "$TEST_DIR"/private.*
	run "$@" pulp-task --database embedded: db install
	is "$status $err" '0 ' 'it is found again, without a word'
	run "$@" pulp-task --database embedded: db stop
	is "$status $out" '0 stopped the private PostgreSQL' 'it is stopped'
	run "$@" pulp-task --database embedded: db stop
	is "$status $out" '0 there is no private PostgreSQL to stop' 'once'
}

private env
private run_as_user
is "$(stat -c '%a' "$TEST_USER_DIR/state/postgresql")" 700 "nobody else gets into the user's"
if [ "$(id -u)" = 0 ]; then
	isnt "$(stat -c '%u' "$TEST_DIR/state/postgresql")" 0 "root's is not run by root"
	is "$(stat -c '%a' "$TEST_DIR/state/postgresql")" 700 'and nobody else gets into it'
	run run_as_user pulp-task --database "embedded:$TEST_DIR/state/postgresql" db check
	isnt "$status" 0 'an ordinary user is kept out'
	run_ok "root finds the user's" pulp-task --database "embedded:$TEST_USER_DIR/state/postgresql" db check
	run_as_user_pid=$(head -n 1 "$TEST_USER_DIR/state/postgresql/pg/postmaster.pid")
	is "$(stat -c '%U' "/proc/$run_as_user_pid")" "$PULP_TEST_USER" 'and runs it as the user'
	run_ok 'and the user stops it' run_as_user pulp-task --database embedded: db stop
fi
is "$(pgrep -fc "[p]ostgres -D pg -k $TEST_DIR")" 0 'no server is left'
done_testing
