select id, app_type, name from pulp_worker.app_worker_cleanup()
