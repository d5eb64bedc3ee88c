-- The arguments of tasks, for new keys. $1: behind this id, $2: so many.
select t.pulp_id as id, t.enc_args::text as args, t.enc_kwargs::text as kwargs,
	coalesce((select o.plain from pulp_worker.options o where o.id = t.pulp_id), false) as plain
from public.core_task t where t.pulp_id > $1::uuid order by t.pulp_id limit $2::int
