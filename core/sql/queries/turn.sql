select kind, task, number, name, detail, cid, args, kwargs, task_group, plain, immediate from pulp_worker.turn(
	$1::uuid, $2::int, $3::int[], $4::bigint[], $5::int, $6::uuid[],
	$7::uuid[], $8::text[], $9::text[], $10::text[], $11::text[], $12::int[], $13::bigint[], $14::bigint[],
	$15::uuid[], $16::uuid[], $17::text[], $18::text[], $19::text[], $20::bigint[], $21::bigint[], $22::text[],
	$23::uuid[], $24::int[], $25::text[], $26::boolean)
