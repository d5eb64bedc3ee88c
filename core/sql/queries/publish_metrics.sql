-- $1: the worker, $2: how often it asks, $3 and $4: the requirements that it has heard of, and their floors
select outcome, host, period, waiting, round(oldest::numeric, 3), measured from pulp_worker.publish_metrics($1::uuid, $2::interval, $3::int[], $4::bigint[])
