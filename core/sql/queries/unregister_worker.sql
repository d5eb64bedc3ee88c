select pulp_worker.unregister_worker($1::uuid)
