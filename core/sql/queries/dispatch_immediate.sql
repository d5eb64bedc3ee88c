-- dispatch of a task that its caller means to run at once.
-- $1 func, $2 args, $3 kwargs, $4 group, $5 exclusive, $6 shared, $7 versions, $8 deferred, $9 its owner, $10 correlation id, $11 whether args and
-- kwargs are encrypted
select d.pulp_id, d.logging_cid
from pulp_worker.dispatch_task(func => $1::text, args => $2::jsonb, kwargs => $3::jsonb, task_group => $4::uuid,
	exclusive_resources => $5::text[], shared_resources => $6::text[], immediate => true, deferred => $8::boolean,
	versions => $7::jsonb, parent => null, cid => $10::text,
	sealed => $11::boolean, owner => $9::uuid) d
