#!/bin/bash
# SPDX-License-Identifier: MIT
# pulp-task: each verb, each exit status, and what --json prints; tasks are driven by SQL.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"
. "$top_srcdir/tests/lib/drive.sh"

# --- before there is anything ---

exits 78 'nothing configured' pulp-task list
like "$err" 'PULP_DATABASE' 'says what to set'
exits 64 'no verb' pulp-task
exits 64 'an unknown verb' pulp-task dispach
like "$err" "did you mean 'dispatch'" 'suggests one'
exits 64 'an unknown option' pulp-task list --stat x
exits 64 'a missing argument' pulp-task show
exits 0 'help' pulp-task --help
like "$out" 'dispatch FUNC' 'names the verbs'
exits 0 'version' pulp-task --version
like "$out" '^pulp-task [0-9.]+.*libpq [0-9.]+, jansson ' 'and the libraries'
exits 69 'a database that is not there' pulp-task --database 'host=/nowhere' list

pg_start
exits 78 'a database without our schema' pulp-task list
like "$err" "run 'pulp-task db install'" 'says what to do'
run_ok 'install' pulp-task db install
sql "insert into pulp_worker.migration (number, name) values (9999, '9999_future')"
exits 78 'a schema that is newer' pulp-task list
like "$err" 'newer' 'says so'
sql 'delete from pulp_worker.migration where number = 9999'

# --- dispatch ---

run_ok 'dispatch with nobody there' pulp-task dispatch example.greet
like "$out" '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' 'prints the id alone'
like "$err" 'no live worker has the module example \(no worker is alive\)' 'and warns'
first=$out
exits 0 'cancel' pulp-task cancel "$first"
register w1@host 4
run_ok 'dispatch' pulp-task dispatch example.greet --args '[1, "ä"]' --kwargs '{"n": 123456789012345678901234567890}' \
	--exclusive rpm:repo-1 --exclusive rpm:repo-2 --shared rpm:repo-3 --require c_example=1.0
is "$err" '' 'no warning where the module is there'
id=$out
is "$(sql "select enc_args::text || enc_kwargs from core_task where pulp_id = '$id'")" \
	'[1, "ä"]{"n": 123456789012345678901234567890}' 'arguments arrive as they were'
is "$(sql "select reserved_resources_record[1:3] from core_task where pulp_id = '$id'")" \
	'{rpm:repo-1,rpm:repo-2,shared:rpm:repo-3}' 'and resources'
is "$(sql "select versions from core_task where pulp_id = '$id'")" '"c_example"=>"1.0"' 'and versions'
run_ok 'versions unset' pulp-task dispatch example.greet
is "$(sql "select versions from core_task where pulp_id = '$out'")" '"c_example"=>"1.0.0"' 'are those of a live worker'
pulp-task cancel "$out" >/dev/null
echo '["from a file"]' >args.json
run_ok 'arguments from a file' pulp-task dispatch example.greet --args @args.json
is "$(sql "select enc_args from core_task where pulp_id = '$out'")" '["from a file"]' 'are read'
pulp-task cancel "$out" >/dev/null
id2=$(echo '{"from": "stdin"}' | pulp-task dispatch example.greet --kwargs -)
is "$(sql "select enc_kwargs from core_task where pulp_id = '$id2'")" '{"from": "stdin"}' 'arguments from standard input too'
pulp-task cancel "$id2" >/dev/null
run_ok 'a module that nobody has' pulp-task dispatch nosuch.thing
like "$err" '^pulp-task: warning: no live worker has the module nosuch; ' 'is warned about'
misfit=$out
run_ok 'dispatch --json' pulp-task dispatch example.greet --json
is "$(json_keys <<<"$out")" "$task_keys" 'prints the task as Pulp names it'
pulp-task cancel "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["pulp_id"])' <<<"$out")" >/dev/null

exits 64 'a name without a dot' pulp-task dispatch greet
like "$err" 'no dot' 'is told'
exits 64 'arguments that are no JSON' pulp-task dispatch a.b --args $'[1,\n 2,,]'
like "$err" '^pulp-task: --args:2:4: ' 'are told where'
exits 64 'arguments of the wrong kind' pulp-task dispatch a.b --args '{}'
like "$err" 'an array .* is wanted' 'are told what is wanted'
exits 64 'keyword arguments of the wrong kind' pulp-task dispatch a.b --kwargs '[]'
exits 64 'a NUL in a string' pulp-task dispatch a.b --args '["\u0000"]'
exits 64 'what is not UTF-8' pulp-task dispatch a.b --args $'["\xff"]'
printf '[1\n, \0]' >nul.json
exits 64 'a NUL byte in a file' pulp-task dispatch a.b --args @nul.json
like "$err" '^pulp-task: nul.json:2:3: a NUL byte' 'is told where'
exits 71 'a file that is not there' pulp-task dispatch a.b --args @nowhere.json
exits 64 'both from standard input' pulp-task dispatch a.b --args - --kwargs -
exits 64 'an unparsable version' pulp-task dispatch a.b --require c_a=garbage
like "$err" "'garbage' is not a version" 'is told'
exits 64 'a requirement without a version' pulp-task dispatch a.b --require c_a
exits 64 'a label twice' pulp-task dispatch a.b --require c_a=1 --require c_a=2
exits 64 'a resource that is none' pulp-task dispatch a.b --exclusive shared:x
exits 64 'a group that is no id' pulp-task dispatch a.b --group x
exits 66 'a group that there is not' pulp-task dispatch a.b --group 01920000-0000-7000-8000-000000000000
exits 64 'a timeout without waiting' pulp-task dispatch a.b --timeout 5
is "$(sql "select count(*) from core_task where name = 'a.b'")" 0 'nothing of that was dispatched'

# --- why ---

why()
{
	run pulp-task why "$1"
	is "$status $out" "0 $2" "${3:-why: $2}"
}
why "$id" 'Not settled yet: a worker will look at it within the poll interval.'
settle
why "$id" 'Ready: a worker will take it within the poll interval.'
why "$misfit" 'No live worker has the module nosuch.'
newer=$(pulp-task dispatch example.greet --require c_example=2.0)
why "$newer" 'No live worker has c_example >= 2.0 (newest: 1.0.0 on w1@host).'
claim
is "$(state "$id")" running 'the task runs'
run pulp-task why "$id"
like "$out" '^Is running on w1@host since 20[0-9-]+ [0-9:]+ UTC\.$' 'why: it runs'
blocked=$(pulp-task dispatch example.greet --shared rpm:repo-1)
behind=$(pulp-task dispatch example.greet --exclusive rpm:repo-1)
settle
why "$blocked" "Waits for resource \"rpm:repo-1\" (wanted shared), held by task $id (example.greet, running); 1 task is ahead in the queue."
why "$behind" "Waits for resource \"rpm:repo-1\" (wanted exclusively), held by task $id (example.greet, running); 2 tasks are ahead in the queue."
ready=$(pulp-task dispatch example.greet)
sql "update pulp_worker.worker set slots = 1"
settle
why "$ready" 'Ready, and every suitable worker is busy: 1 of 1 slots taken on w1@host.'
sql "update core_appstatus set last_heartbeat = now() - interval '2 hours'"
why "$ready" 'No worker is alive.'
sql "update core_appstatus set last_heartbeat = now()"
why "$first" "$(pulp-task why "$first")" 'why: it has ended'
like "$out" '^Was canceled at .* UTC, before it started\.$' 'says how'
exits 66 'why: no such task' pulp-task why 01920000-0000-7000-8000-000000000000
run_ok 'why --json' pulp-task why "$blocked" --json
is "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(*d, d["why"])' <<<"$out")" 'pulp_id why reason resource' 'has a word for programs'

# --- show ---

report "$id" sync.files 'Downloading files' running 450 1000
report "$id" scan 'Scanning' running 7 null
run_ok 'show' pulp-task show "$id"
like "$out" $'^Task +'"$id"$'\nName +example.greet\nState +running for ' 'shows the task'
like "$out" $'\nResources +rpm:repo-1\n +rpm:repo-2\n +shared:rpm:repo-3\n' 'its resources'
like "$out" $'\nRequires +c_example >= 1.0\n' 'its versions'
like "$out" $'\nProgress +Downloading files: 450 of 1000 \\(45 %\\)\n +Scanning: 7' 'its progress'
is "$(pulp-task show "${id:0:35}" | grep -v ^State)" "$(grep -v ^State <<<"$out")" 'a unique beginning of the id will do'
is "$(pulp-task show "${id^^}" | head -n 1)" "$(head -n 1 <<<"$out")" 'and capitals'
run_ok 'show --json' pulp-task show "$id" --json
is "$(json_keys <<<"$out")" "$task_keys" 'prints the task as Pulp names it'
is "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["progress_reports"][0], d["worker"])' <<<"$out")" \
	"{'code': 'sync.files', 'done': 450, 'state': 'running', 'total': 1000, 'suffix': None, 'message': 'Downloading files'} $worker" \
	'with reports and owner'
like "$out" '"pulp_created": "20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z"' 'times are those of REST'
finish "$id" completed '{"big": 123456789012345678901234567890, "t": "x\ny"}' >/dev/null
run_ok 'show a completed one' pulp-task show "$id"
like "$out" $'\nState +completed after ' 'its state'
like "$out" $'\nUsed +30 ms of CPU, 2 MiB of memory at most\n' 'what it used'
like "$out" 'Result +\{.*123456789012345678901234567890' 'its result, to the digit'
exits 66 'no such task' pulp-task show 01920000-0000-7000-8000-000000000000
exits 66 'no such beginning' pulp-task show ffffffff-ffff
exits 64 'a beginning that is too short' pulp-task show 0192
exits 64 'what is no id' pulp-task show example.greet
sql "update core_task set pulp_id = 'aaaaaaaa-0000-7000-8000-000000000001' where pulp_id = '$first'"
sql "update core_task set pulp_id = 'aaaaaaaa-0000-7000-8000-000000000002' where pulp_id = '$id2'"
exits 64 'a beginning of two' pulp-task show aaaaaaaa
like "$err" 'aaaaaaaa-0000-7000-8000-000000000001, aaaaaaaa-0000-7000-8000-000000000002' 'both are named'
is "$(pulp-task show aaaaaaaa-0000-7000-8000-000000000002 | head -n 1)" 'Task         aaaaaaaa-0000-7000-8000-000000000002' 'the whole id is one'

# --- list ---

run_ok 'list' pulp-task list
like "$out" $'^ID\tNAME\tSTATE\tAGE\tDURATION\tWORKER/REASON\n'"$ready"$'\texample.greet\twaiting\t[^\t]+\t\t\\(ready\\)\n' 'newest first'
run_ok 'list --state' pulp-task list --state completed
is "$(wc -l <<<"$out")" 2 'only those'
like "$out" "$id"$'\texample.greet\tcompleted\t[^\t]+\t[^\t]+\tw1@host' 'with duration and worker'
is "$(pulp-task list --state completed --state canceled | tail -n +2 | cut -f 3 | sort | uniq -c | xargs)" '5 canceled 1 completed' 'several states'
is "$(pulp-task list --name nosuch.thing | tail -n +2 | cut -f 1)" "$misfit" 'list --name'
is "$(pulp-task list --name 'no*thing' | wc -l)" 2 'a pattern'
is "$(pulp-task list --name 'example_greet' | wc -l)" 1 'what is special in SQL is not'
is "$(pulp-task list --limit 2 | wc -l)" 3 'list --limit'
sql "alter table core_task disable trigger on_update_timestamp_task;
	update core_task set pulp_created = now() - interval '2 hours' where pulp_id = '$misfit';
	alter table core_task enable trigger on_update_timestamp_task"
is "$(pulp-task list --since 1h --name 'nosuch*' | wc -l)" 1 'list --since leaves out what is older'
is "$(pulp-task list --since 3h --name 'nosuch*' | wc -l)" 2 'and not what is not'
is "$(pulp-task list --since 10000d --name 'nosuch*' | wc -l)" 2 'for however long'
is "$(pulp-task list --limit 0 | tail -n 1 | cut -f 1,4)" "$misfit"$'\t2 h' 'the oldest is last, and as old as it is'
run_ok 'list --json' pulp-task list --json --limit 2
is "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(len(d), *d[1])' <<<"$out")" "2 $task_keys" 'is one array'
is "$(pulp-task list --json --name none)" '[]' 'an empty one too'
exits 64 'list: a state that is none' pulp-task list --state complete
like "$err" "did you mean 'completed'" 'suggests one'
exits 64 'list: a limit that is none' pulp-task list --limit -1
exits 64 'list: a time that is none' pulp-task list --since yesterday

# --- cancel ---

run_ok 'cancel' pulp-task cancel "$behind" "$blocked"
is "$out" "$behind canceled"$'\n'"$blocked canceled" 'several at once'
exits 0 'cancel again' pulp-task cancel "$behind"
exits 1 'cancel what has ended' pulp-task cancel "$id"
like "$out" "^$id completed \(it had ended before\)$" 'says so'
exits 66 'cancel what there is not' pulp-task cancel 01920000-0000-7000-8000-000000000000
exits 66 'one of several' pulp-task cancel 01920000-0000-7000-8000-000000000000 "$id" "$newer"
is "$(state "$newer")" canceled 'the others are canceled'
sql 'update pulp_worker.worker set slots = 4'
claim
run_ok 'cancel a running one' pulp-task cancel "$ready"
is "$out" "$ready canceling" 'which its owner ends'
exits 0 'cancel again' pulp-task cancel "$ready"
run pulp-task why "$ready"
is "$out" 'Is canceled, and w1@host is stopping it.' 'why: it is being stopped'
run_ok 'cancel --json' pulp-task cancel --json "$ready" "$behind"
is "$(python3 -c 'import json, sys; print(*[t["state"] for t in json.load(sys.stdin)])' <<<"$out")" 'canceling canceled' 'is one array of tasks'
finish "$ready" canceled >/dev/null

# --- logs ---

run=$(pulp-task dispatch example.greet)
claim
say "$run" 1 'first\n'
say "$run" 2 'second, without end'
run_ok 'logs' pulp-task logs "$run"
is "$out" $'first\nsecond, without end' 'are printed in order'
is "$(pulp-task logs --json "$run" | python3 -c 'import json, sys; print(json.load(sys.stdin))')" \
	"[{'part': 1, 'text': 'first\\n'}, {'part': 2, 'text': 'second, without end'}]" 'logs --json'
start follow pulp-task logs --follow "$run"
follow=$started
wait_for '[ "$(cat follow.out)" = $'\''first\nsecond, without end'\'' ]'
ok $? 'logs --follow prints what is there'
say "$run" 3 '...\nthird\n'
wait_for 'grep -q third follow.out'
ok $? 'and what comes'
alive "$follow"
ok $? 'and goes on'
say "$run" 4 'last\n'
finish "$run" completed >/dev/null
wait_for "! alive $follow"
ok $? 'until the task has ended'
is "$(tail -n 1 follow.out)" last 'and leaves nothing out'
exits 66 'logs of no task' pulp-task logs 01920000-0000-7000-8000-000000000000
exits 66 'nor as JSON' pulp-task logs --json 01920000-0000-7000-8000-000000000000
exits 64 'logs --follow --json' pulp-task logs --json --follow "$run"

# --- groups ---

run_ok 'group create' pulp-task group create --description 'three of them'
like "$out" '^[0-9a-f-]{36}$' 'prints the id alone'
group=$out
m1=$(pulp-task dispatch example.greet --group "$group")
m2=$(pulp-task dispatch example.greet --group "$group" --exclusive g)
m3=$(pulp-task dispatch example.greet --group "$group" --exclusive g)
claim 2
finish "$m1" failed '{"reason": "Killed by signal 9."}' signal >/dev/null
run_ok 'group show' pulp-task group show "$group"
like "$out" $'^Group +'"$group"$'\nDescription +three of them\nMembers +1 waiting, 1 running, 1 failed\n\nID\t' 'counts and members'
like "$out" "$m1"$'\texample.greet\tfailed\t.*\tKilled by signal 9.' 'with their reasons'
is "$(pulp-task list --group "$group" | tail -n +2 | cut -f 1 | xargs)" "$m3 $m2 $m1" 'list --group'
run_ok 'group show --json' pulp-task group show "$group" --json
is "$(json_keys <<<"$out")" "$group_keys" 'prints the group as Pulp names it'
is "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["waiting"], d["running"], d["failed"], [t["pulp_id"] for t in d["tasks"]])' <<<"$out")" \
	"1 1 1 ['$m1', '$m2', '$m3']" 'with counts and members'
run_ok 'group cancel' pulp-task group cancel "$group"
is "$out" '2 tasks canceled' 'says how many'
is "$(state "$m1") $(state "$m2") $(state "$m3")" 'failed canceling canceled' 'and cancels them'
is "$(pulp-task group cancel "$group" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["all_tasks_dispatched"])')" True 'group cancel --json'
finish "$m2" canceled >/dev/null
exits 66 'group show of none' pulp-task group show 01920000-0000-7000-8000-000000000000
exits 66 'group cancel of none' pulp-task group cancel 01920000-0000-7000-8000-000000000000
exits 64 'group show of what is no id' pulp-task group show x
exits 64 'group alone' pulp-task group
like "$(pulp-task group show "$(pulp-task group create)")" 'Members +none$' 'an empty group'

# --- workers ---

register w2@other 2 file c_file 3.1
sql "update core_appstatus set last_heartbeat = now() - interval '2 hours' where pulp_id = '$worker'"
run_ok 'workers' pulp-task workers
like "$out" $'^NAME\tALIVE\tRUNNING\tSLOTS\tHEARTBEAT\tMODULES\nw1@host\tyes\t0\t4\t[^\t]+\texample 1.0.0\nw2@other\tno\t0\t2\t2 h[^\t]*\tfile 3.1$' 'shows them'
run_ok 'workers --json' pulp-task workers --json
is "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(len(d), *d[0])' <<<"$out")" "2 $worker_keys" 'is one array'

# --- purge ---

run_ok 'purge --no-wait' pulp-task purge --no-wait
like "$out" '^[0-9a-f-]{36}$' 'prints the id of the task'
is "$(sql "select name || ' ' || (enc_kwargs -> 'states') || ' ' || date_trunc('day', (enc_kwargs ->> 'finished_before')::timestamptz - now()
	+ interval '1 minute') from core_task where pulp_id = '$out'")" 'core.purge ["completed"] -30 days' 'with the defaults of REST'
run_ok 'purge with options' pulp-task purge --no-wait --finished-before '2026-01-02 03:04:05+01' --state failed --state canceled
is "$(sql "select enc_kwargs from core_task where pulp_id = '$out'")" \
	'{"states": ["failed", "canceled"], "finished_before": "2026-01-02T02:04:05.000000Z"}' 'has what was said'
exits 64 'purge: a time that is none' pulp-task purge --finished-before yesterdayish
exits 64 'purge: both' pulp-task purge --finished-before now --older-than 1d
exits 64 'purge: a state that is not final' pulp-task purge --state running
like "$err" 'running cannot be purged' 'says so'
exits 75 'purge waits' pulp-task purge --timeout 100ms

# --- output ---

exits 74 'a full disk' sh -c 'pulp-task list --limit 0 >/dev/full'
like "$err" 'No space left' 'is told'
is "$(bash -c 'trap "" PIPE; pulp-task list --json | true; echo "${PIPESTATUS[0]}"')" 141 'a reader that goes away ends it'
sql 'create role reader login; grant usage on schema pulp_worker to reader;
	grant select on pulp_worker.migration, pulp_worker.setting to reader'
exits 77 'a role without rights' env PULP_DATABASE="$PULP_DATABASE user=reader" pulp-task list
like "$err" 'permission denied' 'is told'
pg_stop
exits 69 'a server that has gone' pulp-task list
done_testing
