-- What a child needs of claimed tasks with which it did not come along. $1: their ids, $2: the worker
select task, args, kwargs, task_group, cid, state, plain, immediate from pulp_worker.start_tasks($2::uuid, $1::uuid[])
