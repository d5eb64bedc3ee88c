select pulp_worker.register_worker($1::text, make_interval(secs => $2::float8), $3::text, $4::int, $5::int,
	$6::text[], $7::text[], $8::text[], $9::text[])
