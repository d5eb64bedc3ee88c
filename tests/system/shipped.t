#!/bin/bash
# SPDX-License-Identifier: MIT
# The plugins that ship, run by a worker: what they ask of it, and what of them it shows.
. "${top_srcdir:?}/tests/lib/env.sh"
# shellcheck source=tests/lib/worker.sh
. "$top_srcdir/tests/lib/worker.sh"

export PULP_DATABASE=embedded:$TEST_DIR/db
at_exit 'pulp-task db stop >/dev/null 2>&1'
worker_start --slots 4 --writable-paths "$TEST_DIR" # traces and publications go there

# task FUNC KWARGS: dispatches it and waits; its id is in $id, the exit status in $status.
task()
{
	run pulp-task dispatch "$1" --kwargs "$2" --wait
	id=$out
}

task exec.run '{"argv": ["sh", "-c", "cat; pwd; ls /proc/self/fd | wc -l; echo $HOME; echo $GREETING"], "stdin": "in\n", "env": {"GREETING": "hi"}}'
is "$status" 0 "exec.run completes"
like "$(field "$id" result)" '"stdout": ?"in' "its output is the result"
like "$(field "$id" result)" "task-|$id" "it ran in the task's directory"
like "$(field "$id" result)" '\\n4\\n' "the program had nothing open but 0, 1 and 2 (and what ls opens)"
task exec.run '{"argv": ["sh", "-c", "echo because >&2; exit 3"]}'
is "$status" 1 "a program that fails"
like "$(pulp-task show "$id" --json)" 'exit status 3: because' "is a failed task with its last words"
like "$(pulp-task logs "$id")" because "and a log"

# A program that cleans up when it is told to stop.
id=$(pulp-task dispatch exec.run --kwargs "{\"argv\": [\"sh\", \"-c\", \"trap 'echo clean >$TEST_DIR/trace; exit' TERM; touch $TEST_DIR/ready; tail -f /dev/null & wait\"]}")
wait_for "test -e $TEST_DIR/ready" 30
pulp-task cancel "$id" >/dev/null
wait_state "$id" canceled
ok $? "a canceled program's task is canceled"
is "$(cat "$TEST_DIR/trace" 2>&1)" clean "after the program had cleaned up"

mkdir -p "$TEST_DIR/source/dir"
for n in {1..40}; do
	printf '%s' "$n" >"$TEST_DIR/source/dir/f $n"
done
(cd "$TEST_DIR/source" && for f in dir/*; do
	sum=$(sha256sum <"$f")
	printf '%s,%s,%s\n' "$f" "${sum%% *}" "$(stat -c %s "$f")"
done >../m && mv ../m PULP_MANIFEST)
if [ -e "$PULP_PLUGIN_PATH/file.so" ]; then
	task file.sync "{\"repository\": \"r\", \"url\": \"file://$TEST_DIR/source/PULP_MANIFEST\"}"
	is "$status" 0 "file.sync completes"
	like "$(field "$id" result)" '"downloaded": ?40' "its counts are the result"
	shown=$(pulp-task show "$id" --json)
	for code in parsing downloading bytes; do
		like "$shown" "sync\\.$code" "progress sync.$code is there"
	done
	unlike "$shown" '"state": ?"running"' "all of it completed"
	task file.publish "{\"repository\": \"r\", \"path\": \"$TEST_DIR/published\"}"
	is "$status" 0 "file.publish completes"
	run_ok "the tree is the source, byte for byte" diff -r "$TEST_DIR/source" "$TEST_DIR/published"
else
	skip "built without libcurl" "file.sync and file.publish"
fi

task core.purge '{"finished_before": "2000-01-01T00:00:00Z"}'
is "$status" 0 "core.purge of nothing completes"
is "$(field "$id" result)" '{"deleted": {"core.Task": 0}, "failed": 0}' "with no counts"
before=$(pulp-task list --json | grep -o '"pulp_id"' | wc -l)
task core.purge '{"finished_before": "2100-01-01T00:00:00+01:00", "states": ["failed", "canceled"]}'
is "$status" 0 "core.purge of two states completes"
like "$(field "$id" result)" '"core.Task": ?2' "it removed the failed and the canceled task"
like "$(pulp-task show "$id" --json)" 'purge\.tasks\.key\.core\.Task' "and reports so"
is "$(pulp-task list --json | grep -o '"pulp_id"' | wc -l)" "$((before - 1))" "they are gone (and it has come)"

worker_stop
is "$stopped" 0 "the worker ends"
done_testing
