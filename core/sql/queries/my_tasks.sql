select task, name, state, cid from pulp_worker.my_tasks($1::uuid)
