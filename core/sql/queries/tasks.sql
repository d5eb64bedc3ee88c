-- Tasks, newest first, with the fields that Pulp's REST gives them; what begins with _ is for people.
-- $1 ids, $2 states, $3 pattern of the name (LIKE), $4 group, $5 created within seconds, $6 at most,
-- $7 whether with results; each but $6 and $7 may be null: any.
select t.pulp_id,
	'prn:core.task:' || t.pulp_id as prn,
	to_char(t.pulp_created at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as pulp_created,
	to_char(t.pulp_last_updated at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as pulp_last_updated,
	t.state,
	t.name,
	t.logging_cid,
	null as created_by,
	to_char(t.unblocked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as unblocked_at,
	to_char(t.started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as started_at,
	to_char(t.finished_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as finished_at,
	t.error,
	t.app_lock_id as worker,
	t.parent_task_id as parent_task,
	coalesce((select jsonb_agg(c.pulp_id order by c.pulp_created) from public.core_task c
		where c.parent_task_id = t.pulp_id), '[]') as child_tasks,
	t.task_group_id as task_group,
	coalesce((select jsonb_agg(jsonb_build_object('message', p.message, 'code', p.code, 'state', p.state, 'total', p.total,
			'done', p.done, 'suffix', p.suffix) order by p.pulp_created, p.pulp_id)
		from public.core_progressreport p where p.task_id = t.pulp_id), '[]') as progress_reports,
	coalesce((select jsonb_agg(r.object_id order by r.pulp_created, r.pulp_id) from public.core_createdresource r
		where r.task_id = t.pulp_id), '[]') as created_resources,
	coalesce((select jsonb_agg('prn:' || k.app_label || '.' || k.model || ':' || r.object_id order by r.pulp_created, r.pulp_id)
		from public.core_createdresource r join public.django_content_type k on k.id = r.content_type_id
		where r.task_id = t.pulp_id), '[]') as created_resource_prns,
	to_jsonb(coalesce(t.reserved_resources_record, '{}')) as reserved_resources_record,
	case when $7::boolean then t.result end as result,
	(select pulp_api_version from public.core_task x where x.pulp_id = t.pulp_id) as pulp_api_version,
	coalesce((select a.name from public.core_appstatus a where a.pulp_id = t.app_lock_id), m.worker) as _worker,
	m.kind as _kind,
	m.remains as _remains,
	m.max_rss_kb as _max_rss_kb,
	m.cpu_ms as _cpu_ms,
	coalesce(t.error ->> 'reason', t.error ->> 'description') as _reason,
	public.hstore_to_jsonb(t.versions) as _versions,
	(extract(epoch from clock_timestamp() - t.pulp_created) * 1000)::bigint as _age_ms,
	(extract(epoch from coalesce(t.finished_at, clock_timestamp()) - t.started_at) * 1000)::bigint as _duration_ms
from (select null::text as pulp_api_version) before_3_115 cross join public.core_task t left join pulp_worker.attempt m on m.task = t.pulp_id
where ($1::uuid[] is null or t.pulp_id = any ($1::uuid[]))
	and ($2::text[] is null or t.state = any ($2::text[]))
	and ($3::text is null or t.name like $3::text)
	and ($4::uuid is null or t.task_group_id = $4::uuid)
	and ($5::float8 is null or t.pulp_created >= now() - make_interval(secs => $5::float8))
order by t.pulp_created desc, t.pulp_id desc
limit $6::bigint
