-- A new, empty task group; its id.
select pulp_worker.create_task_group($1::text) as pulp_id
