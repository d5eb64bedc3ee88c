#!/bin/bash
# SPDX-License-Identifier: MIT
# pulp-task dispatch-many, and the library's call: many tasks at once.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"
. "$top_srcdir/tests/lib/drive.sh"

serve

count() { sql 'select count(*) from core_task'; }

# --- what is dispatched ---

sed 's/ *$/ /' >tasks <<'END'
{"func": "example.greet", "args": [1, "ä"], "kwargs": {"n": 123456789012345678901234567890}, "exclusive_resources": ["r"]}

  { "func": "example.greet", "versions": {"c_example": "0.9"}, "shared_resources": ["r"], "args": null }
{"func": "nosuch.thing"}
{"func": "nosuch.thing"}
END
run_ok 'a file' pulp-task dispatch-many tasks
is "$(wc -l <<<"$out") $(grep -cE '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' <<<"$out")" '4 4' 'prints the ids'
is "$err" 'pulp-task: warning: no live worker has the module nosuch; the task waits for one that has' 'and warns once'
is "$(sql 'select array_agg(pulp_id order by pulp_created) from core_task')" "{${out//$'\n'/,}}" 'in the order of the lines'
first=$(head -n1 <<<"$out")
is "$(sql "select enc_args::text || enc_kwargs || reserved_resources_record[1] from core_task where pulp_id = '$first'")" \
	'[1, "ä"]{"n": 123456789012345678901234567890}r' 'as they are written'
is "$(sql "select string_agg(versions::text, ' ' order by pulp_created) from core_task")" '"c_example"=>"1.0.0" "c_example"=>"0.9"  ' \
	'with versions as dispatch records them'
sql 'delete from core_task'
seq 250 | sed 's/.*/{"func": "example.greet", "args": [&]}/' >tasks
run pulp-task dispatch-many - --json <tasks
is "$status $out" '0 []' 'no line is no task'
run_ok 'several batches from standard input' bash -c 'pulp-task dispatch-many - <tasks >ids'
is "$(sql "select string_agg(enc_args ->> 0, ',' order by pulp_created) from core_task")" "$(seq -s, 250)" 'are there, in order'
is "$(sql 'select array_agg(pulp_id order by pulp_created) from core_task')" "{$(paste -sd, ids)}" 'with their ids'
is "$(sql 'select count(distinct xmin::text) from core_task')" 3 'in a transaction for a hundred each'
sql 'delete from core_task'

group=$(pulp-task group create)
other=$(pulp-task group create)
cid=01920000-0000-7000-8000-00000000000
printf '{"func": "example.greet"%s}\n' '' ", \"task_group\": \"$other\", \"correlation_id\": \"${cid}1\"" >tasks
run_ok 'a group and a correlation id' pulp-task dispatch-many tasks --group "$group" --correlation-id "${cid}2"
is "$(sql "select string_agg(task_group_id || ' ' || logging_cid, ' ' order by pulp_created) from core_task")" \
	"$group ${cid}2 $other ${cid}1" 'are for those that have none'
run env PULP_CORRELATION_ID="${cid}3" pulp-task dispatch-many tasks
is "$(sql "select count(*) from core_task where logging_cid = '${cid}3'")" 1 'that of the environment too'
sql 'delete from core_task'

# --- waiting ---

start many pulp-task dispatch-many tasks --wait --json
many=$started
wait_for '[ "$(count)" = 2 ]'
claim 2
for id in $(sql 'select pulp_id from core_task'); do
	finish "$id" completed '"done"' >/dev/null
done
wait_for "! alive $many"
stop "$many"
is "$stopped $(jq -c 'map(.result)' many.out)" '0 ["done","done"]' 'waits for all, and prints them'
sql 'delete from core_task'

# --- what is wrong ---

refused() # LINE 'message'
{
	printf '{"func": "example.greet"}\n\n%s\n' "$1" >bad
	run pulp-task dispatch-many bad
	is "$status $err" "64 pulp-task: bad:3:$2" "refused: ${1:0:60}"
}
refused '{"func": "a.b", "args": [1,]}' "28: unexpected token near ']'"
refused '   {"func": "a.b", "args": [1,]}' "31: unexpected token near ']'"
refused '[]' '1: a JSON value of another kind where an object {...} is wanted'
refused '{"func": "a.b"} {}' "17: end of file expected near '{'"
refused '{"func": "a.b", "func": "a.b"}' "22: duplicate object key near '\"func\"'"
refused '{}' ' func is missing'
refused '{"func": null}' ' func must be a string'
for func in '' nodot .a a. a..b 'a. b'; do
	refused "{\"func\": \"$func\"}" " func '$func' $(if [[ $func = *.* ]]; then echo 'is not'; else echo 'has no dot: it is'; fi) <module>.<name>"
done
refused '{"func": "a.b", "shared_resources": [""]}' " resource '' is not a resource name: it is empty or begins with shared:"
refused '{"func": "a.b", "exclusive_resources": ["r", "shared:r"]}' \
	" resource 'shared:r' is not a resource name: it is empty or begins with shared:"
refused '{"func": "a.b", "versions": {"": "1"}}' ' versions must be an object of versions (PEP 440)'
refused '{"func": "a.b", "arg": 1}' " there is no argument 'arg'; there are: func, args, kwargs, task_group, exclusive_resources, shared_resources, immediate, deferred, versions, correlation_id"
refused '{"func": "a.b", "args": {}}' ' args must be an array'
refused '{"func": "a.b", "exclusive_resources": [1]}' ' exclusive_resources must be an array of strings'
refused '{"func": "a.b", "versions": {"c_a": "x"}}' ' versions must be an object of versions (PEP 440)'
refused '{"func": "a.b", "immediate": 1}' ' immediate must be true or false'
refused '{"func": "a.b", "task_group": "x"}' " task_group: 'x' is not a UUID"
refused '{"func": "a.b", "immediate": true, "deferred": false}' ' deferred cannot be false, since many at once are left to workers: dispatch such a task by itself'
is "$(count)" 0 'nothing is dispatched where a line is wrong'
exits 71 'a file that is not there' pulp-task dispatch-many nowhere
exits 64 'a timeout without waiting' pulp-task dispatch-many tasks --timeout 1
{
	seq 150 | sed 's/.*/\n{"func": "example.greet"}/'
	echo "{\"func\": \"example.greet\", \"task_group\": \"${cid}9\"}"
} >tasks
run pulp-task dispatch-many tasks
is "$status $(wc -l <<<"$out") $err" "66 100 pulp-task: 100 of 151 tasks were dispatched
pulp-task: tasks:301: there is no task group ${cid}9" 'what only the database knows: it says the line, and how far it came'
is "$(sql 'select array_agg(pulp_id order by pulp_created) from core_task')" "{${out//$'\n'/,}}" 'and what it names is there'
run pulp-task dispatch-many tasks --json
is "$status $(jq length <<<"$out") $(sql "select count(*) from core_task where pulp_id = '$(jq -r '.[7].pulp_id' <<<"$out")'")" '66 100 1' 'as JSON too'
{
	head -n 240 tasks
	echo '{"func": "example.greet", "args": [1e-20000]}'
} >overflow
run pulp-task dispatch-many overflow
is "$status ${err##*$'\n'}" '64 pulp-task: overflow, lines 202 to 241: value overflows numeric format' 'what only PostgreSQL cannot hold'
sql 'delete from core_task'
run bash -c 'pulp-task dispatch-many tasks >/dev/full'
is "$status $(count) ${err%%$'\n'*}" '74 100 pulp-task: standard output: No space left on device' 'it stops where nobody can read the ids'
sql 'delete from core_task'
head -n 300 tasks >good
run bash -c 'pulp-task dispatch-many good >&-'
is "$status $(count) ${err%%$'\n'*}" '74 100 pulp-task: standard output: Bad file descriptor' 'a closed one is not taken for the connection'
sql 'delete from core_task'

# --- what is in the way ---

seq 30 | sed 's/.*/{"func": "example.greet", "exclusive_resources": ['"$(seq -s, -f '"r%g"' 99)"', "s&"]}/' >wide
run_ok 'many resources' pulp-task dispatch-many wide
is "$(sql 'select count(distinct xmin::text) from core_task')" 3 'go out in smaller batches'
sql 'delete from core_task'
sql "create function slow() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock(7); return new; end'"
sql 'create trigger slow before insert on core_task for each row execute function slow()'
start holder psql -qXAtc 'select pg_advisory_lock(7)' -c 'select pg_sleep(600)'
holder=$started
wait_for '[ "$(sql "select count(*) from pg_locks where locktype = '\''advisory'\'' and granted")" = 1 ]'
start many pulp-task dispatch-many good
wait_for '[ "$(sql "select count(*) from pg_locks where locktype = '\''advisory'\'' and not granted")" = 1 ]'
sql "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and not granted" >/dev/null
wait_for "! alive $started"
is "$(sed 's/lines.*//' many.err)" 'pulp-task: 0 of 150 tasks were dispatched; whether the next 100 were is not known, '"'pulp-task list'"' shows it
pulp-task: good, ' 'a connection that breaks: what is not known is said'
is "$(count)" 0 'none was'
start many pulp-task dispatch-many good
wait_for '[ "$(sql "select count(*) from pg_locks where locktype = '\''advisory'\'' and not granted")" = 1 ]'
kill -KILL "$started"
stop "$started"
stop "$holder"
wait_for '[ "$(sql "select count(*) from pg_stat_activity where application_name = '\''pulp-task'\''")" = 0 ]'
like "$(count)" '^(0|100)$' 'one that is killed in the middle: a batch is there, or none of it'
sql 'drop trigger slow on core_task; delete from core_task'

# --- encrypted; and at a live Pulp, with our schema and without ---

head -c 32 /dev/urandom | base64 | tr +/ -_ >key
export PULP_DB_ENCRYPTION_KEY=$PWD/key PULP_PLUGIN_PATH=$PULP_TEST_PREFIX/lib/pulp/plugins
printf '{"func": "example.greet"%s}\n' ', "args": [{"args": 1}], "kwargs": {"name": "x"}' '' ', "args": [[]], "kwargs": null' >tasks
for what in 'with a key' 'at a live Pulp' 'as a guest'; do
	case $what in
	at*) sql 'create table django_migrations (app text)' ;;
	as*) sql "set client_min_messages = error; drop schema pulp_worker cascade" ;;
	esac
	run_ok "$what" pulp-task dispatch-many tasks
	is "$err" '' 'without a warning: guests do not know who is there'
	like "$(sql "select enc_args -> 0 ->> 'args' || ' ' || (enc_kwargs ->> 'name') from core_task where enc_kwargs ? 'name'")" '^gAAAA.* gAAAA' \
		'what the arguments hold is encrypted'
	is "$(sql "select string_agg(enc_args::text, ' ' order by pulp_created) from core_task where not enc_kwargs ? 'name'")" '[] [[]]' \
		'what holds nothing is as it was'
	is "$(sql "select count(*) from core_task where versions ? 'c_example'")" 3 "with this host's versions"
	sql 'delete from core_task'
	[ "$what" = 'as a guest' ] || is "$(sql 'select count(*) from pulp_worker.options')" 0 'none is marked as plain'
done
for what in "$PWD/key" "$PWD/none"; do
	run_ok 'many whose arguments hold nothing' env PULP_DB_ENCRYPTION_KEY="$what" pulp-task dispatch-many <(tail -n2 tasks)
done
sql 'delete from core_task'
printf '[[]]' >empty
run_ok 'one alone whose arguments hold nothing' pulp-task dispatch example.greet --args @empty
is "$(sql 'select enc_args from core_task')" '[[]]' 'is dispatched too'
done_testing
