select pulp_worker.find_schedule($1::text) as pulp_id
