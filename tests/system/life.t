#!/bin/bash
# SPDX-License-Identifier: MIT
# The thin line through all layers: tasks are dispatched, run and ended, on the embedded database.
. "${top_srcdir:?}/tests/lib/env.sh"
# shellcheck source=tests/lib/worker.sh
. "$top_srcdir/tests/lib/worker.sh"

export PULP_DATABASE=embedded:$TEST_DIR/db
at_exit 'pulp-task db stop >/dev/null 2>&1'

worker_start --slots 4
alive "$(worker_pid)"
ok $? "a worker starts on the embedded database"

run pulp-task dispatch example.greet --kwargs '{"name": "World"}' --wait
is "$status" 0 "dispatch --wait gives 0 for a completed task"
id=$out
is "$(field "$id" result)" "Hello, World!" "its result is there"
is "$(field "$id" state)" completed "its state is there"

exits 1 "a failed task gives 1" pulp-task dispatch exec.run --kwargs '{"argv": ["false"]}' --wait
exits 1 "so does a task that the module does not have" pulp-task dispatch example.nosuch --wait
like "$err" "module 'example' has no task 'nosuch'" "which is told"

run pulp-task dispatch nosuch.task
is "$status" 0 "a module that nobody has is accepted"
like "$err" "no live worker has the module nosuch" "with a warning"
id=$out
like "$(pulp-task why "$id")" nosuch "why names it"
exits 0 "it can be canceled" pulp-task cancel "$id"
is "$(field "$id" state)" canceled "and is canceled at once"

worker_stop
is "$stopped" 0 "a drained worker ends with 0"
is "$(ls -A "$PULP_WORKING_DIRECTORY")" "" "its directory is gone"
is "$(pulp-task workers --json)" "[]" "its row is gone"
done_testing
