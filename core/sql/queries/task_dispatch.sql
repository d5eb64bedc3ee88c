-- dispatch, and whether anybody is there who has the module, and is alive.
-- $1 func, $2 args, $3 kwargs, $4 group, $5 exclusive, $6 shared, $7 versions, $8 correlation id, $9 whether args and kwargs
-- are encrypted, $10 immediate, $11 deferred, $12 whether to look who is there
select d.pulp_id,
	d.state,
	w.workers,
	w.served
from pulp_worker.dispatch_task(func => $1::text, args => $2::jsonb, kwargs => $3::jsonb, task_group => $4::uuid,
	exclusive_resources => $5::text[], shared_resources => $6::text[], immediate => $10::boolean, deferred => $11::boolean,
	versions => $7::jsonb, parent => null, cid => $8::text, sealed => $9::boolean) d
left join lateral (select * from pulp_worker.who_serves($1::text) where $12::boolean) w on true
