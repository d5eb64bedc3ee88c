-- As arguments_batch, of schedules; none where a Pulp before 3.110 keeps none.
select s.pulp_id as id, to_jsonb(s) ->> 'task_args' as args, to_jsonb(s) ->> 'task_kwargs' as kwargs,
	coalesce((select o.plain from pulp_worker.options o where o.id = s.pulp_id), false) as plain
from public.core_taskschedule s where s.pulp_id > $1::uuid and to_jsonb(s) ? 'task_args' order by s.pulp_id limit $2::int
