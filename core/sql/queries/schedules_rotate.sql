-- As arguments_rotate, of schedules.
with done as (
	update public.core_taskschedule s set task_args = g.args::jsonb, task_kwargs = g.kwargs::jsonb
	from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) g (id, args, kwargs, old_args, old_kwargs)
	where s.pulp_id = g.id and s.task_args is not distinct from g.old_args::jsonb and s.task_kwargs is not distinct from g.old_kwargs::jsonb
	returning s.pulp_id),
encrypted as (delete from pulp_worker.options o using done d where o.id = d.pulp_id)
select count(*) as count from done
