-- The workers, with the fields that Pulp's REST gives them; slots, running, modules and online are ours.
select a.pulp_id,
	'prn:core.appstatus:' || a.pulp_id as prn,
	to_char(a.pulp_created at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as pulp_created,
	to_char(a.pulp_last_updated at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as pulp_last_updated,
	a.name,
	to_char(a.last_heartbeat at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as last_heartbeat,
	public.hstore_to_jsonb(a.versions) as versions,
	(select t.pulp_id from public.core_task t where t.app_lock_id = a.pulp_id and t.state = 'running'
		order by t.started_at limit 1) as current_task,
	a.last_heartbeat >= now() - a.ttl as online,
	w.slots,
	(select count(*) from public.core_task t where t.app_lock_id = a.pulp_id and t.state in ('running', 'canceling')) as running,
	coalesce((select jsonb_object_agg(m.module, m.version) from pulp_worker.worker_module m where m.worker = a.pulp_id),
		'{}') as modules,
	w.host as _host,
	w.pid as _pid,
	(extract(epoch from clock_timestamp() - a.last_heartbeat) * 1000)::bigint as _heartbeat_ms
from public.core_appstatus a left join pulp_worker.worker w on w.id = a.pulp_id
where a.app_type = 'worker'
order by a.name, a.pulp_id
