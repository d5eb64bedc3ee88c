select pulp_worker.decide_immediate($1::uuid, $2::uuid, $3::boolean)
