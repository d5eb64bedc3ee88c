-- A new schedule, and whether anybody is there who has the module, and is alive.
-- $1 name, $2 func, $3 args, $4 kwargs, $5 every (seconds), $6 at, $7 cron, $8 exclusive, $9 shared, $10 whether args and kwargs are encrypted
select a.id as pulp_id,
	w.workers,
	w.served
from pulp_worker.add_schedule($1::text, $2::text, $3::jsonb, $4::jsonb, make_interval(secs => $5::float8), $6::timestamptz, $7::jsonb,
	$8::text[], $9::text[], $10::boolean) a (id) cross join pulp_worker.who_serves($2::text) w
