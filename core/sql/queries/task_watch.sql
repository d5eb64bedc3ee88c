-- What somebody who waits for these tasks wants to see of them, in the order given; a task that is gone is left out.
select t.pulp_id,
	t.name,
	t.state,
	t.unblocked_at is not null as ready,
	coalesce((select jsonb_agg(jsonb_build_object('message', p.message, 'code', p.code, 'state', p.state, 'total', p.total,
			'done', p.done, 'suffix', p.suffix) order by p.pulp_created, p.pulp_id)
		from public.core_progressreport p where p.task_id = t.pulp_id), '[]') as progress_reports,
	coalesce((select a.name from public.core_appstatus a where a.pulp_id = t.app_lock_id),
		(select m.worker from pulp_worker.attempt m where m.task = t.pulp_id)) as worker,
	coalesce(t.error ->> 'reason', t.error ->> 'description') as reason,
	(extract(epoch from coalesce(t.finished_at, clock_timestamp()) - t.started_at) * 1000)::bigint as duration_ms
from unnest($1::uuid[]) with ordinality i (id, rank) join public.core_task t on t.pulp_id = i.id
order by i.rank
