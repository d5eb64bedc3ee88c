#!/bin/bash
# SPDX-License-Identifier: MIT
# The library that the other tests in shell stand on: what it starts it ends, what
# it makes it removes, also when a test is interrupted, and a private PostgreSQL
# dies with its test.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"

# child NAME: runs the script on standard input as a test of its own.
child()
{
	{
		echo ". '$top_srcdir/tests/lib/env.sh'; . '$top_srcdir/tests/lib/pg.sh'"
		cat
	} >"$TEST_DIR/$1.t"
}

child fails <<'END'
is a b 'not the same'
like abc '^b' 'does not begin so'
skip 'no reason' 'something'
echo "$TEST_DIR" >&2
done_testing
END
run bash "$TEST_DIR/fails.t"
is "$status" 1 'a test with a failed check exits 1'
like "$out" $'not ok 1 - not the same\n# at [^\n]*/fails.t line 2\n# got:  a\n# want: b' 'and says which and where'
like "$out" $'ok 3 - something # SKIP no reason\n1..3$' 'a skipped check is said to be one'
[ -n "$err" ] && [ ! -e "$err" ]
ok $? 'the folder is gone'

child interrupted <<'END'
start never tail -f /dev/null
file=$1
at_exit 'echo end >>"$file"'
at_exit '[ "$unset" ]'
echo "$started" >"$file"
wait_for false 60
END
start interrupted bash "$TEST_DIR/interrupted.t" "$TEST_DIR/pid"
wait_for '[ -s pid ]'
is "$(alive "$(head -n 1 pid)" && echo yes)" yes 'a started process runs'
stop "$started" TERM
ok $? 'a test that is told to end does so'
is "$stopped" 143 'with the status of the signal'
like "$(cat pid)" $'^[0-9]+\nend$' 'after it has run what was noted'
! alive "$(head -n 1 pid)"
ok $? 'and ended what it had started'

wait_for false 1
isnt $? 0 'waiting has an end'
run sh -c 'echo out; echo err >&2; exit 7'
is "$status $out $err" '7 out err' 'run keeps status and both outputs'
run run_as_user sh -c 'id -un; pwd; touch here; touch ../there'
is "${out%%$'\n'*}" "$PULP_TEST_USER" 'an unprivileged account runs commands'
[ -e "$TEST_USER_DIR/here" ]
ok $? 'in a folder of its own'
if [ "$(id -u)" = 0 ]; then
	[ ! -e "$TEST_DIR/there" ]
	ok $? 'and not in the one around it'
fi
run_ok 'the installed tree is readable for it' run_as_user test -r "$PULP_TEST_PREFIX/include/pulp/plugin.h"

pg_start
is "$(sql 'select 1')" 1 'a private PostgreSQL answers'
is "$(run_as_user psql -XAtc 'select current_user')" postgres 'the unprivileged account too'
pg_stop kill
pg_start_again work_mem=1MB
is "$(sql 'show work_mem')" 1MB 'it comes back after a crash'
pg_new_database other
is "$(sql 'select current_database()')" other 'a second database'

child killed <<'END'
pg_start
echo "$pg_pid $pg_dir $TEST_DIR" >"$1"
wait_for false 60
END
start killed bash "$TEST_DIR/killed.t" "$TEST_DIR/server"
wait_for '[ -s server ]' 30
read -r server server_dir killed_dir <server
alive "$server"
ok $? 'the server of another test runs'
stop "$started" KILL
wait_for "! alive $server"
ok $? 'a server dies with a test that is killed'
wait_for "[ ! -e '$server_dir/.s.PGSQL.5432' ]"
rm -rf "$server_dir" "$killed_dir"

done_testing
