#!/bin/bash
# SPDX-License-Identifier: MIT
# libpulp-client as others use it: a program that is compiled against the
# installed tree, by what pkg-config says, and run; and the example of
# pulp-client(3) as it is printed.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"
. "$top_srcdir/tests/lib/drive.sh"
if grep -q '^SANITIZE = .*fsanitize' "$top_builddir/Makefile"; then
	skip_all 'a program that is not built with sanitizers cannot load a library that is'
fi

export PKG_CONFIG_PATH=$PULP_TEST_PREFIX/lib/pkgconfig
read -r -a flags < <(pkg-config --define-prefix --cflags --libs pulp-client | xargs)
read -r -a pq < <(pkg-config --cflags --libs libpq | xargs)
is "$(pkg-config --modversion pulp-client)" "$(pulp-task --version | sed -n '1s/.* //p')" 'pkg-config knows the version'
run_ok 'a program compiles' "${CC:-cc}" -std=c99 -D_POSIX_C_SOURCE=200809L -pedantic -Wall -Wextra -Werror -o program \
	"$top_srcdir/tests/system/client-program.c" "${flags[@]}" "${pq[@]}"
if command -v c++ >/dev/null; then
	printf '#include <pulp/client.h>\n#include <pulp/plugin.h>\nint main() { return pulp_client_version()[0] == 0; }\n' >program.cc
	run_ok 'one in C++ too, with both headers' c++ -std=c++11 -pedantic -Wall -Wextra -Werror -o program-cc program.cc "${flags[@]}"
	run_ok 'and runs' ./program-cc
fi
is "$(./program version)" 'version ok' 'the library is that of the header'
is "$(ldd program | grep -cE 'libpulp-client\.so\.0 => '"$PULP_TEST_PREFIX")" 1 'the installed library is used'

pg_start
run ./program open
like "$out" "^error 3 - database .* lacks our schema" 'a database without our schema'
run_ok 'install' pulp-task db install
register w1@host 8

run ./program open dispatch=example.greet short cancel cancel signals
like "$out" $'^open\ndispatched [0-9a-f-]{36}\nwaited 1 waiting\ncancel canceled\ncancel canceled\nsignal 0$' 'dispatch, wait, cancel; no signal is touched'
is "$err" '' 'and nothing is written'
id=$(sed -n 's/^dispatched //p' <<<"$out")
is "$(sql "select enc_kwargs::text || ' ' || reserved_resources_record[1:3]::text from core_task where pulp_id = '$id'")" \
	'{"repository": "01920000-0000-7000-8000-000000000001"} {one,shared:two,shared:three}' 'with its arguments and resources'
is "$(./program open group | xargs)" 'open dispatched dispatched group 2' 'a group'
is "$(./program open old | xargs)" 'open dispatched' 'a record of an older program'

run ./program open bad
is "$out" "open
error 1 - args:1:1: a JSON value of another kind where an array [...] is wanted
error 1 - kwargs:1:1: ']' expected near end of file
error 1 - versions: that of c_x is not a version (PEP 440) as a string
error 1 - versions: that of c_x is not a version (PEP 440) as a string
error 1 - 'x' is not a UUID
error 2 P0002 there is no task group 01920000-0000-7000-8000-000000000000
error 1 - func is missing
error 1 - the size of struct pulp_client_dispatch is not set
error 2 - there is no task 01920000-0000-7000-8000-000000000000
error 1 - 'x' is not a UUID
error 1 - an id is missing
error 2 - there is no task 01920000-0000-7000-8000-000000000000" 'what is wrong is said'
run ./program open dispatch=nodot
is "$out" $'open\nerror 1 22023 function name \'nodot\' has no dot: it is <module>.<name>' 'what the database refuses too'

# --- many at once ---

sql 'delete from core_task'
run ./program open many=0 many=1000
like "$out" $'^open\ndispatched many\nmade 0 \ndispatched many\nmade 1000 [0-9a-f-]{36}$' 'many at once, or none'
is "$(sql "select count(*), count(distinct logging_cid), count(*) filter (where immediate), count(distinct xmin::text) from core_task")" \
	'1000|938|63|1' 'in one transaction'
id=$(tail -n1 <<<"$out")
is "$(sql "select enc_args::text || enc_kwargs || reserved_resources_record[1:3]::text || versions from core_task where pulp_id = '${id##* }'")" \
	'[1]{"n": 123456789012345678901234567890}{one,shared:two,"shared:th\"ree"}"c_example"=>"0.9"' 'with all that was given'
sql 'delete from core_task'
run ./program open many=100,37
is "$out" $'open\nerror 1 22023 task 37: function name \'nodot\' has no dot: it is <module>.<name>\nmade 0 ' 'where one is wrong, none'
run ./program open bad-many
is "$out" 'open
error 1 - task 2: args:1:1: a JSON value of another kind where an array [...] is wanted
error 2 P0002 task 2: there is no task group 01920000-0000-7000-8000-000000000000
error 1 - task 2: no_deferred: many at once are left to workers
error 1 - task 2: exclusive: not UTF-8
error 1 - task 2: the size of struct pulp_client_dispatch is not set
left <> <>' 'what is wrong is said, with its number'
is "$(sql 'select count(*) from core_task')" 0 'and none is there'
run ./program conn sql=begin many=10 sql=rollback
like "$out" $'dispatched many\nmade 10 [0-9a-f-]{36}\nsql ok$' 'in a transaction of the caller'
is "$(sql 'select count(*) from core_task')" 0 'they go with it'

# --- immediate ---

export PULP_WORKING_DIRECTORY=$TEST_DIR/tmp PULP_STATE_DIRECTORY=$TEST_DIR/state PULP_PLUGIN_PATH=$PULP_TEST_PREFIX/lib/pulp/plugins
mkdir tmp
run ./program open child now=example.greet signals children
is "$out" $'open\nimmediate\ncompleted "Hello, here!"\nsignal 0\nchild 7\nothers -1' \
	'an immediate task has ended when dispatch returns; no signal and no child of the caller is touched'
is "$err" '' 'nothing is written to standard error'
is "$(ls -A tmp)" '' 'nothing is left'
run ./program conn sql=begin now=example.greet sql=rollback sql=begin immediate=example.greet sql=commit
like "$out" $'error [0-9] 0A000 .*\n.*immediate\nwaiting -' 'with a transaction open it is refused, or left to a worker'
run ./program open now=nosuch.task
like "$out" 'error 1 .*no plugin of this host has its module' 'a module that this host lacks'
unset PULP_WORKING_DIRECTORY PULP_STATE_DIRECTORY PULP_PLUGIN_PATH

# --- schedules ---

run ./program open schedules list= list=cron remove=at list= run=every
is "$(sed '$d' <<<"$out")" 'open
added every
added at
added cron
schedule at example.greet - - - []
schedule cron example.greet - 0 3 29 2 * Europe/Vienna []
schedule every example.greet 01:30:00 - - ["one"]
schedule cron example.greet - 0 3 29 2 * Europe/Vienna []
removed
schedule cron example.greet - 0 3 29 2 * Europe/Vienna []
schedule every example.greet 01:30:00 - - ["one"]' 'schedules are added, listed, shown and removed'
like "$(tail -n1 <<<"$out")" '^task [0-9a-f-]{36} example.greet waiting ' 'and run'
is "$(sql "select enc_kwargs::text || ' ' || reserved_resources_record[1:2]::text from core_task order by pulp_created desc limit 1")" \
	'{"name": "s"} {one,shared:two}' 'with arguments and resources'
is "$(pulp-task schedule show cron | awk '$1 == "Missed" { print $2 }')" skip 'pulp-task sees them'
run ./program open bad-schedules
like "$out" "^open
error 1 - when\? every_ms, at or cron is needed
error 1 - the interval: from one second to a hundred years
error 1 - every_ms: from one second to a hundred years
error 1 - every_ms: from one second to a hundred years
error 1 - cron goes with neither every_ms nor at
error 1 - missed is for cron
error 1 - args:1:1: .*
error 1 - name is missing
error 1 - cron expression '0 0 30 2 \*' never fires: .*
error 1 - missed 'never' is neither once nor skip
error 1 22023 there is no time zone 'Mars/Base'
error 1 22023 the time 2001-01-01 .* has passed
error 1 22007 .*soon.*
error 1 22023 there is a schedule 'every' already
error 1 - the size of struct pulp_client_schedule is not set
error 1 - the schedule's name or id is missing
error 2 P0002 there is no schedule 'none'$" 'what is wrong with one is said'
run ./program conn sql=begin schedules sql=rollback list=at
like "$out" $'^open\nsql ok\nerror 1 22023 there is a schedule .every. already\n' 'a schedule of a caller'"'"'s transaction'
pulp-task schedule remove cron every
run ./program conn sql=begin schedules sql=rollback list=
is "$out" $'open\nsql ok\nadded every\nadded at\nadded cron\nsql ok' 'goes with it'

# --- keys ---

run_ok 'a key' openssl rand -base64 32
printf '%s\n' "$out" >good.key
echo nonsense >bad.key
openssl rand -base64 32 >other.key
run ./program open keys=none.key keys=bad.key keys=.
is "$out" 'open
error 9 - file of keys none.key: open: No such file or directory
error 9 - file of keys bad.key: line 1: not a Fernet key: it is 32 bytes in base64, 44 characters with the '"'='"' at their end
error 9 - file of keys .: not a regular file' 'a file of keys that is missing, or none'
run ./program open keys=good.key keys=bad.key keys
like "$out" $'^open\ndispatched\nerror 9 .*\ndispatched$' 'a bad one leaves those that were good'
run ./program open keys=bad.key many=1
like "$out" $'\nmade 1 ' 'a task of many'
run env PULP_DB_ENCRYPTION_KEY=none.key ./program open many=1
like "$out" $'^open\nerror 9 - .*\nmade 0 $' 'without the keys that its arguments need'
run ./program open keys=good.key many=1
like "$(sql "select enc_args ->> 0 || ' ' || (enc_kwargs ->> 'n') from core_task where versions ? 'c_example' order by pulp_created desc limit 1")" \
	'^gAAAA.* gAAAA' 'encrypted with them'
sql "delete from core_task where versions -> 'c_example' = '0.9'"
is "$(sql "select count(*) from (select enc_args from core_task order by pulp_created desc limit 2) t where enc_args ->> 0 ~ '^gAAAAA'")" 2 \
	'arguments are encrypted'
like "$(PULP_DB_ENCRYPTION_KEY=good.key ./program open schedules list=every | tail -n1)" 'every' 'those of a schedule too'
like "$(sql "select task_kwargs ->> 'name' from core_taskschedule where name = 'every'")" '^gAAAAA' 'with the key that the settings name'
pulp-task schedule remove at cron every
for name in none.key bad.key; do
	run env PULP_DB_ENCRYPTION_KEY="$TEST_DIR/$name" ./program open schedules keys keys=good.key
	like "$out" $'^open\nerror 9 - .*\nadded at\nadded cron\nerror 9 - .*\ndispatched$' "$name, where the settings name it: only arguments need it"
	pulp-task schedule remove at cron
done
run env PULP_DB_ENCRYPTION_KEY="$TEST_DIR/other.key" pulp-task db rotate-key
like "$out $err" 'another key' 'another key than theirs opens none of them'
if [ "$(id -u)" = 0 ]; then
	chmod 755 "$TEST_DIR"
	chmod 400 good.key
	run runuser -u nobody -- env PGUSER="$PGUSER" ./program open keys=good.key
	is "$out" $'open\nerror 9 - file of keys good.key: open: Permission denied' 'one that may not be read'
fi

# --- waiting ---

id=$(pulp-task dispatch example.greet)
start wait ./program open "wait=$id" "get=$id"
wait=$started
wait_for '[ "$(sql "select count(*) from pg_stat_activity where application_name = '\''pulp-client'\''")" = 1 ]'
claim 100
finish "$id" completed '{"n": 123456789012345678901234567890}' >/dev/null
wait_for "! alive $wait"
is "$(cat wait.out)" "open
waited 0 completed
task $id example.greet completed result={\"n\": 123456789012345678901234567890} reason=- started=yes" 'the end is seen, and the result'
id=$(pulp-task dispatch example.greet)
claim
finish "$id" failed '{"description": "so it is", "traceback": ""}' >/dev/null
is "$(./program open "get=$id")" "open"$'\n'"task $id example.greet failed result=- reason=so it is started=yes" 'a failure has its reason'
is "$(./program open "cancel=$id")" $'open\ncancel failed' 'and cannot be canceled any more, which is no error'

# --- a connection of the caller's ---

run ./program conn 'sql=begin' dispatch=example.greet short 'sql=rollback' 'sql=select 1'
like "$out" $'^open\nsql ok\ndispatched [0-9a-f-]{36}\nerror 1 - a transaction is open: .*\nsql ok\nsql ok$' 'in a transaction'
id=$(sed -n 's/^dispatched //p' <<<"$out")
is "$(sql "select count(*) from core_task where pulp_id = '$id'")" 0 'what is rolled back was never there'
run ./program conn 'sql=begin' dispatch=example.greet 'sql=commit' cancel
like "$out" $'^open\nsql ok\ndispatched [0-9a-f-]{36}\nsql ok\ncancel canceled$' 'what is committed is'
run env PGCLIENTENCODING=LATIN1 ./program conn
like "$out" '^error 1 - .*LATIN1.*UTF8$' 'a connection of another encoding is refused'
run env PGHOST=/nowhere ./program open
like "$out" '^error 5 ' 'a server that is not there'
sql 'create role reader login; grant usage on schema pulp_worker to reader; grant select on pulp_worker.migration, pulp_worker.setting to reader'
run env PGUSER=reader ./program open cancel=01920000-0000-7000-8000-000000000000
like "$out" $'^open\nerror 4 42501 permission denied' 'a right that is missing'

# --- the manual's example ---

page=$top_srcdir/man/pulp-client.3
sed -n '/^\.\\" example begins/,/^\.Ed/p' "$page" | sed -e '1,2d' -e '$d' -e 's/\\(aq/'\''/g' -e 's/\\-/-/g' -e 's/\\e/\\/g' -e 's/^\\&//' >example.c
[ "$(wc -l <example.c)" -gt 20 ]
ok $? 'pulp-client(3) shows a program'
run_ok 'which compiles as it is printed' "${CC:-cc}" -Wall -Wextra -Werror -o example example.c "${flags[@]}"
start example ./example
wait_for '[ "$(sql "select count(*) from core_task where name = '\''example.greet'\'' and state = '\''waiting'\''")" != 0 ]'
id=$(sql "select pulp_id from core_task where state = 'waiting' order by pulp_created desc limit 1")
claim 100
finish "$id" completed '"Hello, World!"' >/dev/null
wait_for "! alive $started"
stop "$started"
is "$stopped $(cat example.out)" '0 completed: "Hello, World!"' 'and does what it says'

# --- a guest: a live Pulp without our schema ---

sql 'drop schema pulp_worker cascade; create table django_migrations (app text)'
head -c 32 /dev/urandom | base64 | tr +/ -_ >key
export PULP_DB_ENCRYPTION_KEY=$PWD/key PULP_PLUGIN_PATH=$PULP_TEST_PREFIX/lib/pulp/plugins
run ./program open dispatch=example.greet cancel group
like "$out" $'^open\ndispatched [0-9a-f-]{36}\ncancel canceled\ndispatched\n' 'a guest dispatches and cancels'
run ./program conn sql=begin dispatch=example.greet sql=rollback sql=begin dispatch=example.greet sql=commit cancel
like "$out" $'^open\nsql ok\ndispatched .*\nsql ok\nsql ok\ndispatched .*\nsql ok\ncancel canceled$' \
	"also on a caller's connection, whose transaction took with it what the session had got"
is "$(sql "select count(*) > 1 from core_task where name = 'example.greet' and versions <> '' and enc_kwargs ->> 'repository' like 'gAAAA%'")" t \
	'with versions and encrypted arguments'
run ./program open many=17
is "$(sql "select count(*) from core_task where enc_args ->> 0 like 'gAAAA%' and versions -> 'c_example' = '0.9'")" 2 'many at once too'
is "$(sql "select count(*) from pg_namespace where nspname = 'pulp_worker'")" 0 'and installs nothing'
done_testing
