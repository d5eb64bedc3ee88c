#!/bin/bash
# SPDX-License-Identifier: MIT
# pulp-task wait and dispatch --wait: exit statuses, what is printed without a
# terminal, interruption, and a database that goes away meanwhile.
. "${top_srcdir:?}/tests/lib/env.sh"
. "$top_srcdir/tests/lib/pg.sh"
. "$top_srcdir/tests/lib/drive.sh"

serve

# ended STATE [JSON]: a task that has; $id is its id.
ended()
{
	id=$(pulp-task dispatch example.greet)
	if [ "$1" = canceled ]; then
		pulp-task cancel "$id" >/dev/null
	else
		claim
		finish "$id" "$@" >/dev/null
	fi
}

ended completed
completed=$id
exits 0 'a completed task' pulp-task wait "$completed"
like "$out" "^$completed completed after [0-9.]+ m?s$" 'is told'
sql "update core_task set state = 'skipped' where pulp_id = '$completed'"
exits 0 'a skipped one' pulp-task wait "$completed"
sql "update core_task set state = 'completed' where pulp_id = '$completed'"
ended failed '{"reason": "Killed by signal 9."}'
failed=$id
exits 1 'a failed one' pulp-task wait "$failed"
like "$out" "^$failed failed after .*: Killed by signal 9\.$" 'is told with its reason'
ended canceled
canceled=$id
exits 3 'a canceled one' pulp-task wait "$canceled"
exits 3 'one of several canceled' pulp-task wait "$completed" "$canceled"
exits 1 'one of several failed' pulp-task wait "$canceled" "$failed" "$completed"
is "$(cut -d ' ' -f 1,2 <<<"$out" | xargs)" "$canceled canceled $failed failed $completed completed" 'each is told'
exits 66 'a task that there is not' pulp-task wait 01920000-0000-7000-8000-000000000000
exits 66 'one of several' pulp-task wait "$completed" 01920000-0000-7000-8000-000000000000
like "$err" 'there is no task 01920000' 'is named'
exits 0 'a beginning of an id' pulp-task wait "${completed:0:30}"
exits 64 'a timeout that is none' pulp-task wait "$completed" --timeout soon
id=$(pulp-task dispatch example.greet)
exits 75 'one that does not end in time' pulp-task wait "$id" --timeout 200ms
is "$out" "$id waiting" 'its state is told'
like "$err" 'timed out; the task goes on' 'and that it goes on'
exits 75 'no time at all' pulp-task wait "$id" --timeout 0
run pulp-task wait "$failed" "$completed" --json
is "$status" 1 'wait --json'
is "$(python3 -c 'import json, sys; d = json.load(sys.stdin); print(*[t["state"] for t in d], *d[0])' <<<"$out")" \
	"failed completed $task_keys" 'prints one array of tasks'
like "$err" "^$failed failed" 'and tells the rest elsewhere'
exits 75 'wait --json that is over' pulp-task wait "$id" --json --timeout 0
is "$(python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["state"])' <<<"$out")" waiting 'prints them too'

# --- a task on its way ---

start wait1 pulp-task wait "$id"
wait=$started
wait_for 'grep -q waiting wait1.out'
ok $? 'the state is told'
claim
wait_for 'grep -q "running on w1@host" wait1.out'
ok $? 'a change of it too, with the worker'
report "$id" files 'Downloading files' running 1 10
wait_for 'grep -q "Downloading files: 1 of 10 (10 %)" wait1.out'
ok $? 'progress is told'
report "$id" files 'Downloading files' running 2 10
report "$id" files 'Downloading files' completed 10 10
finish "$id" completed >/dev/null
wait_for "! alive $wait"
stop "$wait"
is "$stopped" 0 'it ends with the task'
is "$(sed "s/^$id //; s/after .*/after/" wait1.out)" $'waiting\nrunning on w1@host\nDownloading files: 1 of 10 (10 %)\nDownloading files: 10 of 10 (100 %)\ncompleted after' \
	'one line for each change, the last word on progress before the end'

# --- interruption ---

id=$(pulp-task dispatch example.greet)
start wait2 pulp-task wait "$id"
wait_for 'grep -q waiting wait2.out'
stop "$started" INT
is "$stopped" 130 'SIGINT gives 130'
like "$(cat wait2.err)" 'the task goes on' 'and says that the task goes on'
is "$(state "$id")" waiting 'it does'
start wait3 pulp-task wait "$id"
wait_for 'grep -q waiting wait3.out'
stop "$started" TERM
is "$stopped" 143 'SIGTERM ends it as it ends others'

# --- dispatch --wait ---

start dispatch pulp-task dispatch example.greet --wait
wait_for '[ -s dispatch.out ] && grep -q waiting dispatch.err'
id=$(cat dispatch.out)
like "$id" '^[0-9a-f-]{36}$' 'dispatch --wait prints the id at once, alone'
claim 2
finish "$id" failed '{"description": "no such thing", "traceback": ""}' >/dev/null
wait_for "! alive $started"
stop "$started"
is "$stopped" 1 'and ends as the task does'
is "$(cat dispatch.out)" "$id" 'nothing else on standard output'
like "$(tail -n 1 dispatch.err)" "^$id failed after .*: no such thing$" 'the rest on standard error'
exits 75 'dispatch --wait --timeout' pulp-task dispatch example.greet --wait --timeout 100ms
run pulp-task dispatch example.greet --wait --timeout 100ms --json
is "$status $(python3 -c 'import json, sys; print(json.load(sys.stdin)["state"])' <<<"$out")" '75 waiting' 'dispatch --wait --json prints the task at last'

# --- the database goes away ---

id=$(pulp-task dispatch example.greet)
start wait4 pulp-task wait "$id"
wait=$started
wait_for 'grep -q waiting wait4.out'
pg_stop fast
wait_for 'grep -q "the database is away" wait4.err' 20
ok $? 'a lost database is told'
alive "$wait"
ok $? 'and waited for'
pg_start_again
sql "update core_task set state = 'canceled', finished_at = now() where pulp_id = '$id'"
wait_for "! alive $wait" 20
stop "$wait"
is "$stopped" 3 'and the task is found when it is back'
id=$(pulp-task dispatch example.greet)
start wait5 pulp-task wait "$id" --timeout 3
wait=$started
wait_for 'grep -q waiting wait5.out'
pg_stop fast
wait_for "! alive $wait" 20
stop "$wait"
is "$stopped" 75 'a timeout holds meanwhile'
pg_start_again
id=$(pulp-task dispatch example.greet)
start wait6 pulp-task wait "$id"
wait=$started
wait_for 'grep -q waiting wait6.out'
sql "delete from core_task where pulp_id = '$id'"
wait_for "! alive $wait"
stop "$wait"
is "$stopped" 66 'a task that is deleted meanwhile'
done_testing
