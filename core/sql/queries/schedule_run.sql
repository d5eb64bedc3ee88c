-- Its task, dispatched now, and whether a live worker has the module.
select r.task as pulp_id,
	w.workers,
	w.served,
	s.task_name as func
from public.core_taskschedule s cross join lateral (select pulp_worker.run_schedule(s.pulp_id::text) as task) r
	cross join pulp_worker.who_serves(s.task_name) w
where s.pulp_id = pulp_worker.find_schedule($1::text)
