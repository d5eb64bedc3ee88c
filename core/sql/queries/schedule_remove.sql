select pulp_worker.remove_schedule($1::text) as pulp_id
