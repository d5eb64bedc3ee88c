-- One task group, with the fields that Pulp's REST gives it.
select g.pulp_id,
	'prn:core.taskgroup:' || g.pulp_id as prn,
	to_char(g.pulp_created at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as pulp_created,
	to_char(g.pulp_last_updated at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as pulp_last_updated,
	g.description,
	g.all_tasks_dispatched,
	n.waiting,
	n.skipped,
	n.running,
	n.completed,
	n.canceled,
	n.failed,
	n.canceling,
	coalesce((select jsonb_agg(jsonb_build_object('message', p.message, 'code', p.code, 'total', p.total, 'done', p.done,
			'suffix', p.suffix) order by p.pulp_created, p.pulp_id)
		from public.core_groupprogressreport p where p.task_group_id = g.pulp_id), '[]') as group_progress_reports,
	n.tasks
from public.core_taskgroup g cross join lateral (
	select count(*) filter (where t.state = 'waiting') as waiting,
		count(*) filter (where t.state = 'skipped') as skipped,
		count(*) filter (where t.state = 'running') as running,
		count(*) filter (where t.state = 'completed') as completed,
		count(*) filter (where t.state = 'canceled') as canceled,
		count(*) filter (where t.state = 'failed') as failed,
		count(*) filter (where t.state = 'canceling') as canceling,
		case when $2::boolean then coalesce(jsonb_agg(jsonb_build_object(
				'pulp_id', t.pulp_id,
				'prn', 'prn:core.task:' || t.pulp_id,
				'pulp_created', to_char(t.pulp_created at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
				'pulp_last_updated', to_char(t.pulp_last_updated at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
				'pulp_api_version', (select pulp_api_version from public.core_task x where x.pulp_id = t.pulp_id),
				'name', t.name,
				'state', t.state,
				'unblocked_at', to_char(t.unblocked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
				'started_at', to_char(t.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
				'finished_at', to_char(t.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
				'worker', t.app_lock_id) order by t.pulp_created, t.pulp_id), '[]') end as tasks
	from (select null::text as pulp_api_version) before_3_115 cross join public.core_task t where t.task_group_id = g.pulp_id) n
where g.pulp_id = $1::uuid
