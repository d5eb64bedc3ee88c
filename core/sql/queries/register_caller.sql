-- $1 name, $2 ttl in seconds, $3 module, $4 label, $5 version
select pulp_worker.register_caller($1::text, make_interval(secs => $2::float8), $3::text, $4::text, $5::text)
