select pulp_worker.set_worker_modules($1::uuid, $2::text[], $3::text[], $4::text[], $5::text[], $6::int)
