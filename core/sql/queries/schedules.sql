-- Schedules by name, with the fields that Pulp's REST gives them; the later ones are ours. $1: one of them, or null: all
select s.pulp_id,
	'prn:core.taskschedule:' || s.pulp_id as prn,
	to_char(s.pulp_created at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as pulp_created,
	to_char(s.pulp_last_updated at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as pulp_last_updated,
	s.name,
	s.task_name,
	s.dispatch_interval::text as dispatch_interval,
	to_char(s.next_dispatch at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as next_dispatch,
	s.last_task_id as last_task,
	c.expression as cron,
	c.time_zone,
	c.missed,
	to_jsonb(coalesce(m.exclusive, '{}')) as exclusive_resources,
	to_jsonb(coalesce(m.shared, '{}')) as shared_resources,
	coalesce(m.failures, 0) as failures,
	to_char(m.retry_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as retry_at,
	m.trouble,
	t.state as _last_state,
	(extract(epoch from s.dispatch_interval) * 1000)::bigint as _interval_ms,
	(extract(epoch from s.next_dispatch - clock_timestamp()) * 1000)::bigint as _next_ms,
	(extract(epoch from clock_timestamp() - t.pulp_created) * 1000)::bigint as _last_ms,
	to_char(s.next_dispatch at time zone coalesce(c.time_zone, 'UTC'), 'YYYY-MM-DD HH24:MI:SS') as _next_local
from public.core_taskschedule s
left join pulp_worker.cron c on c.schedule = s.pulp_id
left join pulp_worker.schedule m on m.schedule = s.pulp_id
left join public.core_task t on t.pulp_id = s.last_task_id
where $1::uuid is null or s.pulp_id = $1::uuid
order by s.name, s.pulp_id
