select ok, reply from pulp_worker.task_request($1::uuid, $2::uuid, $3::bigint, $4::text, $5::text, $6::boolean)
