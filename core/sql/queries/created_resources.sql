-- What tasks have noted as created, of those that are still ours. $1: their ids, $2: the worker, $3: at most so many of a task
select t.pulp_id, r.type, r.object_id,
	coalesce((select max(l.part) from pulp_worker.log l where l.task = t.pulp_id), 0) as parts
from public.core_task t
cross join lateral (select k.app_label || '.' || k.model as type, c.object_id, min(c.pulp_created) as first
	from public.core_createdresource c join public.django_content_type k on k.id = c.content_type_id
	where c.task_id = t.pulp_id group by 1, 2 order by 3, 2 limit $3::int) r
where t.pulp_id = any ($1::uuid[]) and t.app_lock_id = $2::uuid
order by t.pulp_id, r.first, r.object_id
