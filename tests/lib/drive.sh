# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Tasks driven by SQL, without a worker, for tests of what shows them; after pg.sh
# and pulp-task db install. Uses the functions that a worker uses.
#
#	serve [NAME]					all that: a server, the schema, and a live worker with 8 slots
#	register NAME [SLOTS [MODULE LABEL VERSION]]	a live worker; $worker is its id
#	settle						until nothing is left to settle
#	claim [N]					$worker claims N tasks (1) of its module, which become running
#	finish TASK STATE [JSON [KIND]]			$worker ends it: JSON is the result, or the error if it failed
#	report TASK CODE MESSAGE STATE DONE TOTAL	a progress report (TOTAL may be null)
#	say TASK PART TEXT				a part of its log
#	state TASK					its state
#	json_keys					the keys of the object on standard input, in their order

serve()
{
	pg_start
	run_ok 'install' pulp-task db install
	register "${1:-w1@host}" 8
}

register()
{
	worker=$(sql "select pulp_worker.register_worker('$1', '1 hour', 'host', 1, ${2:-4}, array['${3:-example}'],
		array['${4:-c_example}'], array['${5:-1.0.0}'], array['${5:-1.0.0}'])")
}

settle()
{
	while [ "$(sql 'select more from pulp_worker.unblock_tasks()')" = t ]; do :; done
}

claim()
{
	settle
	sql "select count(*) from pulp_worker.iter_tasks('$worker', ${1:-1},
		array(select r.id from pulp_worker.requirement r join pulp_worker.worker_module m using (module) where m.worker = '$worker'),
		array(select 0::bigint from pulp_worker.requirement r join pulp_worker.worker_module m using (module)
			where m.worker = '$worker'))" >/dev/null
}

finish()
{
	local result=null error=null

	case $2 in
	completed) [ -z "${3:-}" ] || result="\$json\$$3\$json\$" ;;
	*) [ -z "${3:-}" ] || error="\$json\$$3\$json\$" ;;
	esac
	sql "select outcome from pulp_worker.finish_tasks('$worker', array['$1']::uuid[], array['$2'], array[$result]::text[],
		array[$error]::text[], array['${4:-$2}'], array[0], array[2048]::bigint[], array[30]::bigint[])"
}

report()
{
	sql "select pulp_worker.write_progress('$worker', array[md5('$1$2')::uuid], array['$1']::uuid[], array['$2'], array['$3'],
		array['$4'], array[$6]::bigint[], array[$5]::bigint[], array[null]::text[])" >/dev/null
}

say()
{
	sql "select pulp_worker.write_logs('$worker', array['$1']::uuid[], array[$2], array[e'$3'])" >/dev/null
}

state()
{
	sql "select state from core_task where pulp_id = '$1'"
}

json_keys()
{
	python3 -c 'import json, sys; print(*json.load(sys.stdin))'
}

# The keys of Pulp's REST objects, with pulp_id in place of pulp_href.
# shellcheck disable=SC2034 # for the tests
task_keys='pulp_id prn pulp_created pulp_last_updated state name logging_cid created_by unblocked_at started_at finished_at error worker parent_task child_tasks task_group progress_reports created_resources created_resource_prns reserved_resources_record result pulp_api_version'
# shellcheck disable=SC2034
group_keys='pulp_id prn pulp_created pulp_last_updated description all_tasks_dispatched waiting skipped running completed canceled failed canceling group_progress_reports tasks'
# shellcheck disable=SC2034
worker_keys='pulp_id prn pulp_created pulp_last_updated name last_heartbeat versions current_task online slots running modules'
