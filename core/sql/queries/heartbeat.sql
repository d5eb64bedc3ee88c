select pulp_worker.heartbeat($1::uuid)
