# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A pulp-worker for tests in shell; source it after env.sh. Several at once: give each a name.
#
#	worker_start [-n NAME] [OPTION...]   starts it and waits until its plugins are up; log in $TEST_DIR/NAME.err
#	worker_stop [-n NAME] [SIGNAL [SECONDS]]   signals it and waits for its end; status in $stopped
#	worker_pid NAME                      its pid
#	field TASK NAME                      a field of pulp-task show --json; JSON for what is not text
#	wait_state TASK STATE [SECONDS]      waits until the task is in that state
#	children_of PID                      all processes below it

declare -A worker_pids=()

# shellcheck disable=SC2154 # started: env.sh
worker_start()
{
	local name=worker

	if [ "${1:-}" = -n ]; then
		name=$2
		shift 2
	fi
	start "$name" pulp-worker --worker-name-template "$name" "$@"
	worker_pids[$name]=$started
	wait_for "! alive $started || grep -q event=worker.started $TEST_DIR/$name.err && plugins_up $name" 20
}

# Whether each plugin that the worker found has said HELLO (or was given up).
plugins_up()
{
	local found

	found=$(sed -n 's/.*event=worker.started.* plugins=\([0-9]*\).*/\1/p' "$TEST_DIR/$1.err" | tail -n 1)
	[ "$(grep -cE 'event=plugin.(up|quarantined|died)' "$TEST_DIR/$1.err")" -ge "$found" ]
}

worker_pid()
{
	echo "${worker_pids[${1:-worker}]}"
}

worker_stop()
{
	local name=worker

	if [ "${1:-}" = -n ]; then
		name=$2
		shift 2
	fi
	stop "${worker_pids[$name]}" "${1:-TERM}" "${2:-20}"
}

field()
{
	pulp-task show "$1" --json | /usr/bin/python3 -c '
import json, sys
value = json.load(sys.stdin).get(sys.argv[1])
print(value if isinstance(value, str) else json.dumps(value, sort_keys=True))' "$2"
}

wait_state()
{
	wait_for "[ \"\$(field $1 state)\" = $2 ]" "${3:-20}"
}

children_of()
{
	local pid

	for pid in $(cat "/proc/$1/task"/*/children 2>/dev/null); do
		echo "$pid"
		children_of "$pid"
	done
}
