-- The facts of which core/task/why.c makes one sentence; no row if there is no such task.
select pulp_worker.why_facts(t.pulp_id) || jsonb_build_object(
	'reason', coalesce(t.error ->> 'reason', t.error ->> 'description'),
	'started', to_char(t.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
	'finished', to_char(t.finished_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS')) as facts
from public.core_task t where t.pulp_id = $1::uuid
