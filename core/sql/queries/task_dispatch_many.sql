-- dispatch of many at once, in their order, and whether anybody is there who has the module, and is alive.
-- $1 the tasks, $2 whether their args and kwargs are encrypted, $3 the number of the first in messages, $4 whether to look who is there
with made as materialized (
	select d.pulp_id, d.name, d.ordinality
	from pulp_worker.dispatch_tasks(tasks => $1::jsonb, sealed => $2::boolean, first => $3::integer) with ordinality d
), served as (
	select n.name, w.workers, w.served from (select distinct name from made where $4::boolean) n, pulp_worker.who_serves(n.name) w
)
select m.pulp_id, m.name, s.workers, s.served from made m left join served s on s.name = m.name order by m.ordinality
